// Test bench of the core. It plays three input streams from files, records the output stream into a file, and counts
// cycles and events. The widths of the packed payloads are macros, which are made from the core's sidecar.
module core_tb (
    input  logic        clk,
    input  logic        reset,
    input  logic [31:0] row_items,
    input  logic [31:0] weight_items,
    input  logic [31:0] param_items,
    input  logic [31:0] output_items,  // the bench has finished when so many items have come out
    input  logic [7:0]  row_idle,
    input  logic [7:0]  weight_idle,
    input  logic [7:0]  output_stall,
    input  logic [31:0] seed,
    input  logic [`LAYER_BITS-1:0] layer_fields,
    output logic        finished,
    output logic [31:0] cycle,
    output logic [31:0] first_row,     // the cycle in which the first beat of rows was taken
    output logic [31:0] received,
    output logic        truncated          // a file held fewer items than were announced
);
    // The inputs of the core go through flip-flops, because Verilator evaluates all logic behind an input of the top at
    // both edges of the clock, and that behind a flip-flop at one.
    logic rst = 1'b1;
    logic [`LAYER_BITS-1:0] layer;
    always_ff @(posedge clk) begin
        rst <= reset;
        layer <= layer_fields;
    end

    logic row_valid, row_ready, weight_valid, weight_ready, param_valid, param_ready, out_valid, out_ready;
    logic [`ROWS_BITS-1:0] row_payload;
    logic [`WEIGHTS_BITS-1:0] weight_payload;
    logic [`PARAMS_BITS-1:0] param_payload;
    logic [`OUTPUT_BITS-1:0] out_payload;
    logic rows_done, weights_done, params_done, rows_truncated, weights_truncated, params_truncated;
    logic [`EVENTS_BITS-1:0] events;
    logic [31:0] counters [0:`EVENTS_BITS-1];
    logic any_row, rows_rst;
    int file;

    assign finished = rows_done && weights_done && params_done && received == output_items;
    assign truncated = rows_truncated || weights_truncated || params_truncated;
    assign rows_rst = rst || !params_done;  // a layer's rows must not come before its parameters

    stream_source #(.WIDTH(`ROWS_BITS), .NAME("rows")) rows (
        .clk, .rst(rows_rst), .items(row_items), .idle(row_idle), .seed(seed ^ 32'h1234),
        .valid(row_valid), .ready(row_ready), .payload(row_payload), .done(rows_done), .truncated(rows_truncated));
    stream_source #(.WIDTH(`WEIGHTS_BITS), .NAME("weights")) weights (
        .clk, .rst, .items(weight_items), .idle(weight_idle), .seed(seed ^ 32'h777),
        .valid(weight_valid), .ready(weight_ready), .payload(weight_payload), .done(weights_done), .truncated(weights_truncated));
    stream_source #(.WIDTH(`PARAMS_BITS), .NAME("params")) params (
        .clk, .rst, .items(param_items), .idle(8'd0), .seed(seed),
        .valid(param_valid), .ready(param_ready), .payload(param_payload), .done(params_done), .truncated(params_truncated));
    stream_sink #(.WIDTH(`OUTPUT_BITS)) sink (
        .clk, .rst, .cycle, .stall(output_stall), .seed(seed ^ 32'h4242), .file(file),
        .valid(out_valid), .ready(out_ready), .payload(out_payload), .items(received));

    core dut (
        .clk, .rst, .i_layer(layer), .events(events),
        .i_start(1'b1), .i_m_tiles(16'd1),  // held: no m tile waits for its run to start
        .i_rows__valid(row_valid), .i_rows__ready(row_ready), .i_rows__payload(row_payload),
        .i_weights__valid(weight_valid), .i_weights__ready(weight_ready), .i_weights__payload(weight_payload),
        .i_params__valid(param_valid), .i_params__ready(param_ready), .i_params__payload(param_payload),
        .o__valid(out_valid), .o__ready(out_ready), .o__payload(out_payload));

    string path;
    initial if ($value$plusargs("output=%s", path)) file = $fopen(path, "w");

    always_ff @(posedge clk) begin
        cycle <= rst ? 32'd0 : cycle + 1;
        if (rst) any_row <= 1'b0;
        else if (row_valid && row_ready) any_row <= 1'b1;
        if (rst) first_row <= '0;
        else if (row_valid && row_ready && !any_row) first_row <= cycle;
        for (int i = 0; i < `EVENTS_BITS; i++)
            if (rst) counters[i] <= '0;
            else if (events[i]) counters[i] <= counters[i] + 1;
    end

    final begin
        for (int i = 0; i < `EVENTS_BITS; i++) $fwrite(file, "# %0d %0d\n", i, counters[i]);
        $fclose(file);
    end
endmodule
