"""The accelerator in Amaranth: this folder assembles the boxes of the figure, each a folder of its own.

::

     memory: layer program | weights | neuron parameters | segments | feature maps (planes of packed bits)
        |  axi (read)                                                                ^  axi (write)
        v                                                                            |
     [sequencer]--commands-->[loader: features]->[im2col: feature buffer]            |
     [csr, irq ]                                         |                           |
        ^  AXI4-Lite    [im2col: rows, segments]->[im2col: row builder]              |
                                                         | load_rows rows / cycle    |
     ---- core ------------------------------------------v-------------------------  |
     [sorter]---->[detector: detector]->[detector: pruner]->[detector: dispatcher]   |
                                                 compute rows |   | reuse rows       |
     [loader: weights]->[processor: weight buffer]->[pe_array]<-+ | (per bank)       |
                                  tile results <------->|         |                  |
                                             [psum: partial sums, 1 or 2 banks]      |
                                                  | one row of sums per plane        |
                                             [neurons: planes, leak, fire, reset]    |
     ---------------------------------------------|-------------------------------   |
                                             [output: max pool, encoder, packer]-----+

``interface`` holds what travels between boxes, ``lib`` the parts that know nothing of neurons, ``arch`` what software
must know. A box imports these three and no other box, but for ``csr`` (which imports ``axi``) and ``processor``
(which imports ``psum``).
"""
