"""The works that methods rest on, as BibTeX, by the key under which they are cited."""


def _entry(key: str, kind: str, **fields: str) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


REFERENCES = {
    key: _entry(key, kind, author=author, title=title, year=year, note=where)
    for key, kind, author, title, year, where in (
        ("arditi2024", "inproceedings", "Arditi, Andy and others",
         "Refusal in language models is mediated by a single direction", "2024", "NeurIPS"),
        ("bell2002", "article", "Bell, Robert M. and McCaffrey, Daniel F.",
         "Bias reduction in standard errors for linear regression with multi-stage samples", "2002",
         "Survey Methodology 28(2)"),
        ("berger1982", "article", "Berger, Roger L.",
         "Multiparameter hypothesis testing and acceptance sampling", "1982", "Technometrics 24(4)"),
        ("cameron2008", "article", "Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.",
         "Bootstrap-based improvements for inference with clustered errors", "2008",
         "Review of Economics and Statistics 90(3)"),
        ("davison1997", "book", "Davison, A. C. and Hinkley, D. V.", "Bootstrap methods and their application", "1997",
         "Cambridge University Press"),
        ("hansen2011", "article", "Hansen, Peter R. and Lunde, Asger and Nason, James M.",
         "The model confidence set", "2011", "Econometrica 79(2)"),
        ("hewitt2019", "inproceedings", "Hewitt, John and Liang, Percy",
         "Designing and interpreting probes with control tasks", "2019", "EMNLP-IJCNLP"),
        ("holm1979", "article", "Holm, Sture", "A simple sequentially rejective multiple test procedure", "1979",
         "Scandinavian Journal of Statistics 6(2)"),
        ("obuchowski1997", "article", "Obuchowski, Nancy A.",
         "Nonparametric analysis of clustered ROC curve data", "1997", "Biometrics 53(2)"),
        ("phipson2010", "article", "Phipson, Belinda and Smyth, Gordon K.",
         "Permutation p-values should never be zero", "2010",
         "Statistical Applications in Genetics and Molecular Biology 9(1)"),
        ("turner2023", "misc", "Turner, Alexander Matt and others",
         "Steering language models with activation engineering", "2023", "arXiv:2308.10248"),
        ("voita2020", "inproceedings", "Voita, Elena and Titov, Ivan",
         "Information-theoretic probing with minimum description length", "2020", "EMNLP"),
    )
}  # fmt: skip
