// Plays a stream from a hex file: item after item, with random idle cycles. Part of the simulated hardware, so that
// no Python runs per item. Stream rules: the payload holds while valid and not ready.
module stream_source #(
    parameter WIDTH = 8,
    parameter ITEMS = 1024
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [31:0]      items,   // items to play
    input  logic [7:0]       idle,    // probability of an idle cycle, in 1/256
    input  logic [31:0]      seed,
    output logic             valid,
    input  logic             ready,
    output logic [WIDTH-1:0] payload,
    output logic             done
);
    logic [WIDTH-1:0] mem [0:ITEMS-1];
    logic [31:0] next;
    logic [31:0] lfsr;

    assign done = next == items && !valid;

    always_ff @(posedge clk) begin
        lfsr <= rst ? (seed | 32'd1) : {lfsr[30:0], lfsr[31] ^ lfsr[21] ^ lfsr[1] ^ lfsr[0]};
        if (rst) begin
            valid <= 1'b0;
            next <= '0;
        end else if (!valid || ready) begin
            valid <= next != items && lfsr[15:8] >= idle;
            if (next != items && lfsr[15:8] >= idle) begin
                payload <= mem[next];
                next <= next + 1;
            end
        end
    end
endmodule
