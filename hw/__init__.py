"""The accelerator in Amaranth. This folder assembles the boxes of the figure, each of which is a folder of its own.

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
                                       [output: join, max pool, encoder, packer]-----+

``interface`` holds the layouts of what travels between boxes, ``lib`` holds parts that know nothing of neurons, and
``arch`` holds what software must know of the hardware. A box imports these three and no other box, except that ``csr``
imports ``axi`` and ``processor`` imports ``psum``.
"""
