"""Find decided titles that deserve a second look: scan, findings, answers, coverage.

_label_errors  Find probable label errors (confident learning by cleanlab), with the evidence for each.
_scan          Scan the decided titles for label errors and near duplicates, in a background process.
answers        Answer a finding: keep the label, relabel, merge near duplicates, dismiss.
coverage       Compute the class balance, and the sample size that a confidence interval needs.
findings       Start a scan, and list its open findings.
label_ranking  Rank all labels by how doubtful they are: as the scan does, and by cleanlab.
"""
