// Records a stream into a text file and stalls it at random. Each item makes one line, which holds the cycle in decimal
// and the payload in hexadecimal.
module stream_sink #(
    parameter WIDTH = 8
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [31:0]      cycle,
    input  logic [7:0]       stall,   // probability of a cycle without ready, in 1/256
    input  logic [31:0]      seed,
    input  int               file,
    input  logic             valid,
    output logic             ready,
    input  logic [WIDTH-1:0] payload,
    output logic [31:0]      items
);
    logic [31:0] lfsr;

    always_ff @(posedge clk) begin
        lfsr <= rst ? (seed | 32'd1) : {lfsr[30:0], lfsr[31] ^ lfsr[21] ^ lfsr[1] ^ lfsr[0]};
        ready <= !rst && lfsr[15:8] >= stall;
        if (rst) items <= '0;
        else if (valid && ready) begin
            items <= items + 1;
            $fwrite(file, "%0d %h\n", cycle, payload);
        end
    end
endmodule
