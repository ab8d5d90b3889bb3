"""Deliberate faults in products of maps, masks, addends and sums over tokens, from PyTorch to programs."""

from tests.mutation.runner import fault

PRODUCTS = "tests/compiler/products/test_products.py"
DEFINITION = "tests/model/inference/test_products.py"
JOBS = "tests/model/prosparsity/test_products.py::test_rows_and_weights_of_every_job_equal_the_definition"
SHORTCUTS = "tests/model/inference/test_shortcuts_and_masks.py"
MEMBRANE = "tests/export/attention/test_membrane.py"
PLANES = "tests/compiler/rows/test_planes.py::test_maps_equal_the_model"
SPLIT = "tests/compiler/addends/test_split.py"
STATIC = "tests/compiler/addends/test_static.py"
PYTORCH = "tests/export/attention/test_attention.py"
THEIRS = "tests/export/attention/test_spikingjelly.py::test_a_network_with_it_is_imported_spike_for_spike"


MUTATIONS = [
    fault(
        "products: weights are read that a RUN may still write",
        "compiler/products/emit.py",
        "if emitter.written(work.operand):",
        "if False:",
        f"{PRODUCTS}::test_a_barrier_stands_before_what_a_run_wrote",
    ),
    fault(
        "products: all timesteps over tokens read the first one's weights",
        "compiler/products/emit.py",
        "at += head * operand.block_bytes + timestep * operand.timestep_bytes",
        "at += head * operand.block_bytes",
        f"{PRODUCTS}::test_random_attention",
    ),
    fault(
        "products: rows meet the weights of every timestep",
        "compiler/products/work.py",
        "Step(y=-1, address=0 if",
        "Step(y=0, address=0 if",
        f"{PRODUCTS}::test_random_attention",
    ),
    fault(
        "products: all heads of a block have the channels of the first",
        "compiler/products/emit.py",
        "x = head * work.head_channels % f.block_channels",
        "x = 0",
        f"{PRODUCTS}::test_random_attention",
    ),
    fault(
        "products: a row of a channel lacks the last token",
        "compiler/products/work.py",
        "for n in range(tokens):",
        "for n in range(max(1, tokens - 1)):",
        f"{PRODUCTS}::test_random_attention",
    ),
    fault(
        "products: timesteps of weights follow each other within a K tile",
        "compiler/products/maps.py",
        "spare = -positions % tile_depth(positions, config)",
        "spare = 0",
        f"{PRODUCTS}::test_random_attention",
    ),
    fault(
        "model: G is transposed",
        "model/inference/layers.py",
        "by_head = weights.transpose(0, 2, 1, 3)  # of",
        "by_head = weights.transpose(0, 2, 3, 1)  # of",
        f"{DEFINITION}::test_every_feature_equals_the_definition",
    ),
    fault(
        "model: a sum is rounded toward zero",
        "model/inference/neurons.py",
        "np.clip(u >> neuron.shift, *neuron.integers).astype(",
        "np.clip(np.fix(u / (1 << neuron.shift)), *neuron.integers).astype(",
        f"{DEFINITION}::test_a_sum_equals_the_definition",
    ),
    fault(
        "model: rows of a product have bits in the K tiles of all timesteps",
        "model/prosparsity/products.py",
        "packed[:, t, :, t] = rows[:, t]",
        "packed[:, t] = rows[:, t][:, :, None]",
        JOBS,
    ),
    fault(
        "model: the addend is shifted with the sums of products",
        "model/inference/runner.py",
        "(sums.astype(np.int64) << layer.shift) + features[layer.addend]",
        "(sums.astype(np.int64) + features[layer.addend]) << layer.shift",
        f"{SHORTCUTS}::test_every_feature_equals_the_definition",
    ),
    fault(
        "model: bounds leave the addend out",
        "model/inference/widths.py",
        "        if layer.addend:\n",
        "        if False:\n",
        f"{SHORTCUTS}::test_bounds_hold_for_every_sum_and_integer",
    ),
    fault(
        "model: a sum that clips is not told",
        "model/inference/widths.py",
        "integers.bits > neuron.bits",
        "False",
        f"{DEFINITION}::test_a_clip_is_told",
    ),
    fault(
        "compiler: an addend of the next block is that of the first",
        "compiler/rows/added.py",
        "at = f.address + job.image * f.image_bytes + block * f.block_bytes\n    at += job.line * f.row_bytes",
        "at = f.address + job.image * f.image_bytes\n    at += job.line * f.row_bytes",
        "tests/compiler/addends/test_addends.py::test_random_shortcuts",
    ),
    fault(
        "compiler: an addend of one timestep is read further at each of them",
        "compiler/rows/added.py",
        'f.timestep_bytes if f.timesteps == run["timesteps"] else 0',
        "f.timestep_bytes",
        f"{STATIC}::test_sums_are_stored_for_one_timestep_and_every_map_is_that_of_the_model",
    ),
    fault(
        "compiler: partial sums have 16 bits whatever the input",
        "compiler/rows/split.py",
        "return 16 if fits else 32",
        "return 16",
        "tests/compiler/addends/test_worth.py::test_partial_sums_of_16_bits_hold_the_largest_input",
    ),
    fault(
        "compiler: parts along K share weights",
        "compiler/rows/split.py",
        "place = slice(None), slice(first, first + size), slice(",
        "place = slice(None), slice(0, first + size), slice(",
        f"{SPLIT}::test_equal_to_the_model_and_whole_where_it_fits",
    ),
    fault(
        "compiler: a mask has the blocks of what it masks",
        "compiler/rows/segments.py",
        "block, at = divmod(channel, own)",
        "block, at = divmod(channel, step)",
        f"{PRODUCTS}::test_a_mask_may_have_other_blocks_than_what_it_masks",
    ),
    fault(
        "compiler: lines that weigh otherwise are read as planes, too",
        "compiler/rows/planes.py",
        "bool((weight == weight[:, :, :1]).all())",
        "True",
        "tests/compiler/rows/test_planes.py::test_one_line_that_weighs_otherwise_is_left_as_it_was",
    ),
    fault(
        "compiler: more lines are planes than an m tile has rows for",
        "compiler/rows/planes.py",
        "min(lines, most, rows)",
        "min(lines, most)",
        "tests/compiler/rows/test_planes.py::test_a_layer_of_too_many_timesteps_is_still_refused_by_name",
    ),
    fault(
        "compiler: a static image has sums at every timestep",
        "compiler/rows/static.py",
        "or layer.pool or",
        "or",
        f"{STATIC}::test_other_layers_stay_as_they_are",
    ),
    fault(
        "export: K takes the place of V",
        "export/nn/attention.py",
        "for x in (k, v))",
        "for x in (v, k))",
        f"{PYTORCH}::test_products_are_those_of_attention_without_softmax",
    ),
    fault(
        "export: G has no largest integer",
        "export/nn/attention.py",
        ".clamp(max=G_MOST)",
        "",
        f"{PYTORCH}::test_a_wide_product_is_shifted_and_clipped",
    ),
    fault(
        "export: branches of a stream are not shifted into its unit",
        "export/qat/membrane.py",
        "min(max(round(math.log2(mean / base)), 0), branch.most_shift)",
        "0",
        f"{MEMBRANE}::test_a_spike_driven_block_is_exact",
    ),
    fault(
        "import: Q, K and V are all cut from the first third",
        "export/importers/spikingjelly_attention.py",
        "weight = conv.weight.detach().chunk(count)[index][..., None]",
        "weight = conv.weight.detach().chunk(count)[0][..., None]",
        THEIRS,
    ),
    fault(
        "import: the scale of attention is left out",
        "export/importers/spikingjelly_attention.py",
        "attrs=dict(factor=m.scale)",
        "attrs=dict(factor=1.0)",
        THEIRS,
    ),
]
