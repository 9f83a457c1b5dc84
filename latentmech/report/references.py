"""The works that methods rest on, as BibTeX, by the key under which they are cited."""


def _entry(key: str, kind: str, **fields: str) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


REFERENCES = {
    key: _entry(key, kind, author=author, title=title, year=year, note=where)
    for key, kind, author, title, year, where in (
        ("arditi2024", "inproceedings",
         "Arditi, Andy and Obeso, Oscar and Syed, Aaquib and Paleka, Daniel and Panickssery, Nina and Gurnee, Wes "
         "and Nanda, Neel", "Refusal in language models is mediated by a single direction", "2024", "NeurIPS"),
        ("bell2002", "article", "Bell, Robert M. and McCaffrey, Daniel F.",
         "Bias reduction in standard errors for linear regression with multi-stage samples", "2002",
         "Survey Methodology 28(2)"),
        ("belrose2023", "inproceedings",
         "Belrose, Nora and Schneider-Joseph, David and Ravfogel, Shauli and Cotterell, Ryan and Raff, Edward and "
         "Biderman, Stella", "LEACE: Perfect linear concept erasure in closed form", "2023", "NeurIPS"),
        ("berger1982", "article", "Berger, Roger L.",
         "Multiparameter hypothesis testing and acceptance sampling", "1982", "Technometrics 24(4)"),
        ("cameron2008", "article", "Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.",
         "Bootstrap-based improvements for inference with clustered errors", "2008",
         "Review of Economics and Statistics 90(3)"),
        ("chen2010", "article", "Chen, Yilun and Wiesel, Ami and Eldar, Yonina C. and Hero, Alfred O.",
         "Shrinkage algorithms for MMSE covariance estimation", "2010",
         "IEEE Transactions on Signal Processing 58(10)"),
        ("davison1997", "book", "Davison, A. C. and Hinkley, D. V.", "Bootstrap methods and their application", "1997",
         "Cambridge University Press"),
        ("fisher1936", "article", "Fisher, R. A.", "The use of multiple measurements in taxonomic problems", "1936",
         "Annals of Eugenics 7(2)"),
        ("hansen2011", "article", "Hansen, Peter R. and Lunde, Asger and Nason, James M.",
         "The model confidence set", "2011", "Econometrica 79(2)"),
        ("hewitt2019", "inproceedings", "Hewitt, John and Liang, Percy",
         "Designing and interpreting probes with control tasks", "2019", "EMNLP-IJCNLP"),
        ("holm1979", "article", "Holm, Sture", "A simple sequentially rejective multiple test procedure", "1979",
         "Scandinavian Journal of Statistics 6(2)"),
        ("liu1989", "article", "Liu, Dong C. and Nocedal, Jorge",
         "On the limited memory BFGS method for large scale optimization", "1989", "Mathematical Programming 45"),
        ("marks2023", "misc", "Marks, Samuel and Tegmark, Max",
         "The geometry of truth: Emergent linear structure in large language model representations of true/false "
         "datasets", "2023", "arXiv:2310.06824"),
        ("obuchowski1997", "article", "Obuchowski, Nancy A.",
         "Nonparametric analysis of clustered ROC curve data", "1997", "Biometrics 53(2)"),
        ("phipson2010", "article", "Phipson, Belinda and Smyth, Gordon K.",
         "Permutation p-values should never be zero", "2010",
         "Statistical Applications in Genetics and Molecular Biology 9(1)"),
        ("romano2005", "article", "Romano, Joseph P. and Wolf, Michael",
         "Stepwise multiple testing as formalized data snooping", "2005", "Econometrica 73(4)"),
        ("spearman1910", "article", "Spearman, Charles", "Correlation calculated from faulty data", "1910",
         "British Journal of Psychology 3(3)"),
        ("stone1974", "article", "Stone, M.", "Cross-validatory choice and assessment of statistical predictions",
         "1974", "Journal of the Royal Statistical Society B 36(2)"),
        ("voita2020", "inproceedings", "Voita, Elena and Titov, Ivan",
         "Information-theoretic probing with minimum description length", "2020", "EMNLP"),
        ("zou2023", "misc", "Zou, Andy and others",
         "Representation engineering: A top-down approach to AI transparency", "2023", "arXiv:2310.01405"),
    )
}  # fmt: skip
