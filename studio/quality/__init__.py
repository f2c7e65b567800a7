"""Find decided titles that deserve a second look: scan, findings, answers, coverage.

_label_errors  Find probable label errors (cleanlab), with the evidence for each.
_scan          Scan the decided titles in a process of its own.
answers        Answer a finding: keep the label, relabel, merge near duplicates, dismiss.
coverage       Compute the balance of the categories, and the evaluation rows that an interval needs.
findings       Start a scan, and list its findings that nobody has answered.
"""
