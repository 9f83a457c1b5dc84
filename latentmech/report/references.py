"""The works that methods rest on, as BibTeX, by the key under which they are cited."""


def _entry(key: str, kind: str, **fields: str) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


REFERENCES = {
    key: _entry(key, kind, author=author, title=title, year=year, note=where)
    for key, kind, author, title, year, where in (
        ("bell2002", "article", "Bell, Robert M. and McCaffrey, Daniel F.",
         "Bias reduction in standard errors for linear regression with multi-stage samples", "2002",
         "Survey Methodology 28(2)"),
        ("belrose2023", "article", "Belrose, Nora and others",
         "Eliciting latent predictions from transformers with the tuned lens", "2023", "arXiv:2303.08112"),
        ("berger1982", "article", "Berger, Roger L.",
         "Multiparameter hypothesis testing and acceptance sampling", "1982", "Technometrics 24(4)"),
        ("bjorck1973", "article", "Björck, Åke and Golub, Gene H.",
         "Numerical methods for computing angles between linear subspaces", "1973",
         "Mathematics of Computation 27(123)"),
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
        ("huh2024", "inproceedings", "Huh, Minyoung and Cheung, Brian and Wang, Tongzhou and Isola, Phillip",
         "The platonic representation hypothesis", "2024", "ICML"),
        ("kornblith2019", "inproceedings", "Kornblith, Simon and Norouzi, Mohammad and Lee, Honglak and others",
         "Similarity of neural network representations revisited", "2019", "ICML"),
        ("nguyen2021", "inproceedings", "Nguyen, Thao and Raghu, Maithra and Kornblith, Simon",
         "Do wide and deep networks learn the same things?", "2021", "ICLR"),
        ("nostalgebraist2020", "misc", "nostalgebraist", "interpreting GPT: the logit lens", "2020", "LessWrong"),
        ("obuchowski1997", "article", "Obuchowski, Nancy A.",
         "Nonparametric analysis of clustered ROC curve data", "1997", "Biometrics 53(2)"),
        ("phipson2010", "article", "Phipson, Belinda and Smyth, Gordon K.",
         "Permutation p-values should never be zero", "2010",
         "Statistical Applications in Genetics and Molecular Biology 9(1)"),
        ("schonemann1966", "article", "Schönemann, Peter H.",
         "A generalized solution of the orthogonal Procrustes problem", "1966", "Psychometrika 31(1)"),
        ("shao1989", "article", "Shao, Jun and Wu, C. F. Jeff", "A general theory for jackknife variance estimation",
         "1989", "The Annals of Statistics 17(3)"),
        ("shoemake1985", "inproceedings", "Shoemake, Ken", "Animating rotation with quaternion curves", "1985",
         "SIGGRAPH"),
        ("turner2023", "article", "Turner, Alexander Matt and others",
         "Activation addition: steering language models without optimization", "2023", "arXiv:2308.10248"),
        ("voita2020", "inproceedings", "Voita, Elena and Titov, Ivan",
         "Information-theoretic probing with minimum description length", "2020", "EMNLP"),
        ("white2016", "article", "White, Tom", "Sampling generative networks", "2016", "arXiv:1609.04468"),
    )
}  # fmt: skip
