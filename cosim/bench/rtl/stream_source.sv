// Plays a stream from a file, item after item, with random idle cycles between them. It is a part of the simulated
// hardware so that no Python runs for each item. Each item has whole bytes in the file, of which the highest comes
// first. The file is read while the items go out, so that a stream may be of any length. The payload stays as it is
// while it is valid and not ready, as the rules of a stream demand.
module stream_source #(
    parameter WIDTH = 8,
    parameter string NAME = "stream"  // the argument +NAME=path of the simulation names the file
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [31:0]      items,   // number of items to play
    input  logic [7:0]       idle,    // probability of an idle cycle, in 1/256
    input  logic [31:0]      seed,
    output logic             valid,
    input  logic             ready,
    output logic [WIDTH-1:0] payload,
    output logic             done,
    output logic             truncated    // the file ended before its items did
);
    localparam BYTES = (WIDTH + 7) / 8;
    logic [8*BYTES-1:0] item;
    logic [31:0] next;
    logic [31:0] lfsr;
    string path;
    int file;

    initial if ($value$plusargs({NAME, "=%s"}, path)) file = $fopen(path, "rb");

    assign done = next == items && !valid;

    always_ff @(posedge clk) begin
        lfsr <= rst ? (seed | 32'd1) : {lfsr[30:0], lfsr[31] ^ lfsr[21] ^ lfsr[1] ^ lfsr[0]};
        if (rst) begin
            valid <= 1'b0;
            next <= '0;
            truncated <= 1'b0;
        end else if (!valid || ready) begin
            valid <= next != items && lfsr[15:8] >= idle;
            if (next != items && lfsr[15:8] >= idle) begin
                if ($fread(item, file) != BYTES) truncated <= 1'b1;
                payload <= item[WIDTH-1:0];
                next <= next + 1;
            end
        end
    end
endmodule
