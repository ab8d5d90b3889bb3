// A memory with an AXI4 slave port, which takes INCR bursts of one ID and answers them in order. Latency, bandwidth and
// random stalls are inputs. An address beyond the memory is answered with DECERR, and one in [fault_first, fault_last]
// with SLVERR.
module axi_memory #(
    parameter DATA = 128,            // bits of a word of the port
    parameter ADDRESS = 40,          // bits of an address
    parameter WORDS = 1024,          // bus words
    parameter DEPTH                  // bursts that may wait in each direction (reprise.estimate.bench)
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [15:0]         latency,      // cycles from an address to its first answer
    input  logic [7:0]          stall,        // probability of a stalled cycle on each channel, in 1/256
    input  logic [7:0]          gap,          // idle cycles after each data beat, which limit the bandwidth
    input  logic [31:0]         seed,
    input  logic [ADDRESS-1:0]  fault_first,
    input  logic [ADDRESS-1:0]  fault_last,
    output logic [63:0]         beats_read,
    output logic [63:0]         beats_written,

    input  logic [ADDRESS-1:0]  awaddr,
    input  logic [7:0]          awlen,
    input  logic                awvalid,
    output logic                awready,
    input  logic [DATA-1:0]     wdata,
    input  logic [DATA/8-1:0]   wstrb,
    input  logic                wlast,
    input  logic                wvalid,
    output logic                wready,
    output logic [1:0]          bresp,
    output logic                bvalid,
    input  logic                bready,
    input  logic [ADDRESS-1:0]  araddr,
    input  logic [7:0]          arlen,
    input  logic                arvalid,
    output logic                arready,
    output logic [DATA-1:0]     rdata,
    output logic [1:0]          rresp,
    output logic                rlast,
    output logic                rvalid,
    input  logic                rready
);
    localparam SHIFT = $clog2(DATA / 8);
    localparam PTR = $clog2(DEPTH);

    logic [DATA-1:0] mem [0:WORDS-1];
    logic [31:0] now;
    logic [31:0] lfsr;

    function automatic logic [1:0] response(input logic [ADDRESS-1:0] address);
        if ((address >> SHIFT) >= WORDS) return 2'b11;
        if (address >= fault_first && address <= fault_last) return 2'b10;
        return 2'b00;
    endfunction

    // Reads: a ring holds the accepted bursts, each with the cycle from which its first beat may come.
    logic [ADDRESS-1:0] r_address [0:DEPTH-1];
    logic [7:0] r_length [0:DEPTH-1];
    logic [31:0] r_time [0:DEPTH-1];
    logic [PTR:0] r_in, r_out;
    logic [7:0] r_beat, r_gap;
    logic [ADDRESS-1:0] r_now;
    assign r_now = ((r_address[r_out[PTR-1:0]] >> SHIFT) + ADDRESS'(r_beat)) << SHIFT;

    // Writes: one ring holds the accepted addresses and another the answers. Data comes in the order of the addresses.
    logic [ADDRESS-1:0] w_address [0:DEPTH-1];
    logic [PTR:0] w_in, w_out;
    logic [8:0] w_beat;
    logic [1:0] w_response;
    logic [31:0] b_time [0:DEPTH-1];
    logic [1:0] b_response [0:DEPTH-1];
    logic [PTR:0] b_in, b_out;
    logic [7:0] w_gap;
    logic [ADDRESS-1:0] w_now;
    assign w_now = ((w_address[w_out[PTR-1:0]] >> SHIFT) + ADDRESS'(w_beat)) << SHIFT;
    assign wready = w_in != w_out && (b_in - b_out) != (PTR+1)'(DEPTH) && w_gap == 0 && lfsr[31:24] >= stall;

    always_ff @(posedge clk) begin
        lfsr <= rst ? (seed | 32'd1) : {lfsr[30:0], lfsr[31] ^ lfsr[21] ^ lfsr[1] ^ lfsr[0]};
        now <= rst ? 32'd0 : now + 1;
        if (rst) begin
            {r_in, r_out, r_beat, r_gap, w_in, w_out, w_beat, w_response, b_in, b_out, w_gap} <= '0;
            {arready, rvalid, awready, bvalid} <= '0;
            {beats_read, beats_written} <= '0;
        end else begin
            // Read address. The ring keeps two places free, because ready is a cycle late.
            arready <= (r_in - r_out) < (PTR+1)'(DEPTH - 2) && lfsr[7:0] >= stall;
            if (arvalid && arready) begin
                r_address[r_in[PTR-1:0]] <= araddr;
                r_length[r_in[PTR-1:0]] <= arlen;
                r_time[r_in[PTR-1:0]] <= now + 32'(latency);
                r_in <= r_in + 1;
            end
            // Read data: the next beat of the oldest burst, once its latency and the gap have passed.
            if (r_gap != 0) r_gap <= r_gap - 1;
            if (!rvalid || rready) begin
                rvalid <= 1'b0;
                if (r_in != r_out && now >= r_time[r_out[PTR-1:0]] && r_gap == 0 && lfsr[15:8] >= stall) begin
                    rvalid <= 1'b1;
                    rdata <= mem[r_now >> SHIFT];
                    rresp <= response(r_now);
                    rlast <= r_beat == r_length[r_out[PTR-1:0]];
                    r_gap <= gap;
                    beats_read <= beats_read + 1;
                    if (r_beat == r_length[r_out[PTR-1:0]]) begin
                        r_beat <= '0;
                        r_out <= r_out + 1;
                    end else r_beat <= r_beat + 1;
                end
            end
            // Write address, as the read address.
            awready <= (w_in - w_out) < (PTR+1)'(DEPTH - 2) && lfsr[23:16] >= stall;
            if (awvalid && awready) begin
                w_address[w_in[PTR-1:0]] <= awaddr;
                w_in <= w_in + 1;
            end
            // Write data goes into the memory at once, and the last beat makes the answer.
            if (w_gap != 0) w_gap <= w_gap - 1;
            if (wvalid && wready) begin
                if (response(w_now) == 2'b00)
                    for (int i = 0; i < DATA / 8; i++)
                        if (wstrb[i]) mem[w_now >> SHIFT][8*i +: 8] <= wdata[8*i +: 8];
                beats_written <= beats_written + 1;
                w_gap <= gap;
                if (wlast) begin
                    w_beat <= '0;
                    w_response <= '0;
                    w_out <= w_out + 1;
                    b_response[b_in[PTR-1:0]] <= w_response | response(w_now);
                    b_time[b_in[PTR-1:0]] <= now + 32'(latency);
                    b_in <= b_in + 1;
                end else begin
                    w_beat <= w_beat + 1;
                    w_response <= w_response | response(w_now);
                end
            end
            // Write response: the oldest answer, once its latency has passed.
            if (!bvalid || bready) begin
                bvalid <= 1'b0;
                if (b_in != b_out && now >= b_time[b_out[PTR-1:0]] && lfsr[19:12] >= stall) begin
                    bvalid <= 1'b1;
                    bresp <= b_response[b_out[PTR-1:0]];
                    b_out <= b_out + 1;
                end
            end
        end
    end
endmodule
