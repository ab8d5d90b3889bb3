"""PyTorch side of Reprise: neurons, networks, training, quantization, the network file, imports.

Reading network files (:mod:`export.network_file`) and data sets (:mod:`export.datasets`) imports no torch.
"""
