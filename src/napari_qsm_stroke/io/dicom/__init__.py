"""DICOM to BIDS: headers read and images converted in child processes, identity left behind."""
