"""Generative architecture search: a generator proposes TurboViTs, an inquisitor probes them and says what to change.

Source: Wong et al., FermiNets: Learning generative machines to generate efficient neural networks via generative
synthesis, 2018 (arXiv 1809.05989), for the pair of generator and inquisitor; Wong, Abbasi and Nair, TurboViT, 2023
(arXiv 2308.11421), for transformers made by it. How both work here is ours.
"""
