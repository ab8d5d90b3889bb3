// Checks the traffic of an AXI4 port against the numbered rules of the AXI specification (Arm IHI 0022, issue E), both
// what the master sends and what the slave answers. It drives nothing.
//
// It knows nothing of the accelerator, and it is plain Verilog-2005 without assertions, so that every simulator runs
// it. Whenever a rule is broken it prints the rule, keeps its text in `rule` and counts it in `errors`. Put it beside
// the port that it watches, and let the bench fail when there are errors:
//
//     wire [31:0] errors;
//     axi_checker #(.NAME("m_axi"), .DATA(128), .ADDRESS(40), .ID(1)) watch (.clk(clk), .rst(rst),
//         .awid(m_axi_awid), .awaddr(m_axi_awaddr), ..., .rready(m_axi_rready), .errors(errors), .rule(), .open());
//     always @(posedge clk) if (errors != 0) $finish;
//
// All inputs are sampled at the rising edge of `clk`, and `rst` is synchronous and high. Nothing is checked before the
// first reset. A port of AXI4-Lite is one whose bursts have a single beat: give it 0 for IDs, lengths and caches,
// 2'b01 for bursts, the bus's size for sizes, and 1 for wlast and rlast.
//
// Not checked: exclusive accesses (there are no ports for AxLOCK), how long anything takes, the byte lanes of data that
// comes before its address, and whether the data that is read is known.
module axi_checker #(
    parameter NAME = "axi",    // stands before every message
    parameter DATA = 128,      // bits of a bus word
    parameter ADDRESS = 40,    // bits of an address
    parameter ID = 1,          // bits of an ID
    parameter DEPTH = 64       // a power of two: the most bursts of a direction that may be under way
) (
    input wire clk, input wire rst,
    input wire [ID-1:0] awid, input wire [ADDRESS-1:0] awaddr, input wire [7:0] awlen, input wire [2:0] awsize,
    input wire [1:0] awburst, input wire [3:0] awcache, input wire [2:0] awprot,
    input wire awvalid, input wire awready,
    input wire [DATA-1:0] wdata, input wire [DATA/8-1:0] wstrb, input wire wlast,
    input wire wvalid, input wire wready,
    input wire [ID-1:0] bid, input wire [1:0] bresp,
    input wire bvalid, input wire bready,
    input wire [ID-1:0] arid, input wire [ADDRESS-1:0] araddr, input wire [7:0] arlen, input wire [2:0] arsize,
    input wire [1:0] arburst, input wire [3:0] arcache, input wire [2:0] arprot,
    input wire arvalid, input wire arready,
    input wire [ID-1:0] rid, input wire [DATA-1:0] rdata, input wire [1:0] rresp, input wire rlast,
    input wire rvalid, input wire rready,
    output reg [31:0] errors,      // how often a rule was broken
    output reg [8*80-1:0] rule,    // the rule that was broken last, as text
    output reg [15:0] open         // the bursts whose last answer has not come
);
    localparam PTR = $clog2(DEPTH), LANES = DATA / 8, IDS = 1 << ID, AX = ID + ADDRESS + 20;
    localparam FIXED = 2'd0, WRAP = 2'd2, RESERVED = 2'd3, EXOKAY = 2'd1;

    // What was seen at the edge before, of a channel that waits
    reg active, was_reset, aw_waits, w_waits, b_waits, ar_waits, r_waits;
    reg [AX-1:0] aw_before, ar_before;
    reg [DATA+LANES:0] w_before;
    reg [ID+1:0] b_before;
    reg [ID+DATA+2:0] r_before;
    wire [AX-1:0] aw_now = {awid, awaddr, awlen, awsize, awburst, awcache, awprot};
    wire [AX-1:0] ar_now = {arid, araddr, arlen, arsize, arburst, arcache, arprot};

    // Writes: one ring holds the bursts whose data is still to come, and one the lengths of data without an address.
    reg [ID+25:0] w_burst [0:DEPTH-1];
    reg [7:0] early [0:DEPTH-1];
    reg [PTR:0] w_in, w_out, early_in, early_out;
    reg [8:0] w_beat;
    reg [15:0] answers [0:IDS-1];  // for each ID, the bursts whose address and data have come and which have no answer
    // The burst whose data comes; it is narrow if some beat of it does not have all byte lanes.
    reg narrow;
    reg [ID-1:0] w_id;
    reg [11:0] w_start;
    reg [7:0] w_length;
    reg [2:0] w_size;
    reg [1:0] w_kind;

    // Reads: a ring of lengths for each ID
    reg [7:0] r_length [0:IDS*DEPTH-1];
    reg [PTR:0] r_in [0:IDS-1], r_out [0:IDS-1];
    reg [7:0] r_beat [0:IDS-1];

    reg [31:0] count;
    reg [8*80-1:0] text;
    reg [15:0] under_way;
    integer n;

    task broken(input [8*80-1:0] what);
        begin
            count = count + 1;
            text = what;
            $display("%0s breaks %0s (time %0t)", NAME, what, $time);
        end
    endtask

    // Whether a burst of type INCR spans a multiple of 4 KiB
    function crosses(input [11:0] start, input [7:0] length, input [2:0] size);
        crosses = {5'd0, start & (12'hfff << size)} + (({9'd0, length} + 17'd1) << size) > 17'd4096;
    endfunction

    // The byte lanes in which a beat may have data
    function [LANES-1:0] lanes(
        input [11:0] start, input [7:0] length, input [2:0] size, input [1:0] kind, input [8:0] beat
    );
        reg [11:0] first, span;
        integer low, high;
        begin
            span = ({4'd0, length} + 12'd1) << size;
            first = beat == 0 || kind == FIXED ? start : (start & (12'hfff << size)) + ({3'd0, beat} << size);
            if (kind == WRAP) first = (start & ~(span - 12'd1)) | (first & (span - 12'd1));
            low = first & (LANES - 1);
            high = (first & (12'hfff << size) & (LANES - 1)) + (1 << size);
            lanes = ({LANES{1'b1}} << low) & ({LANES{1'b1}} >> (LANES - high));
        end
    endfunction

    initial begin
        {active, was_reset, count, text, under_way} = 0;
        {errors, rule, open} = 0;
    end

    always @(posedge clk) begin
        if (active && was_reset) begin
            if (awvalid) broken("A3.1.2: AWVALID must be low in reset and at the edge after it");
            if (wvalid) broken("A3.1.2: WVALID must be low in reset and at the edge after it");
            if (arvalid) broken("A3.1.2: ARVALID must be low in reset and at the edge after it");
            if (bvalid) broken("A3.1.2: BVALID must be low in reset");
            if (rvalid) broken("A3.1.2: RVALID must be low in reset");
        end
        if (rst) begin
            {aw_waits, w_waits, b_waits, ar_waits, r_waits} = 0;
            {w_in, w_out, early_in, early_out, w_beat, under_way} = 0;
            for (n = 0; n < IDS; n = n + 1) begin
                answers[n] = 0;
                r_in[n] = 0;
                r_out[n] = 0;
                r_beat[n] = 0;
            end
            active = 1'b1;
        end else if (active) begin
            known;
            stable;
            answered;  // before this edge's addresses and data are looked at: an answer comes after them
            addresses;
            written;
            {aw_waits, w_waits, b_waits, ar_waits, r_waits} =
                {awvalid & ~awready, wvalid & ~wready, bvalid & ~bready, arvalid & ~arready, rvalid & ~rready};
        end
        was_reset = rst;
        errors <= count;
        rule <= text;
        open <= under_way;
    end

    task known;
        begin
            if (^{awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready} === 1'bx)
                broken("A3.1.2: VALID and READY must be known outside of reset");
            if ((awvalid && ^aw_now === 1'bx) || (arvalid && ^ar_now === 1'bx))
                broken("A3.2.2: an address and what belongs to it must be known");
            if (wvalid && ^{wlast, wstrb} === 1'bx) broken("A3.2.2: WLAST and WSTRB must be known");
            if (wvalid && ^wdata === 1'bx)
                for (n = 0; n < LANES; n = n + 1)
                    if (wstrb[n] && ^wdata[8*n +: 8] === 1'bx) broken("A3.2.2: WDATA must be known where WSTRB is set");
            if (bvalid && ^{bid, bresp} === 1'bx) broken("A3.2.2: BID and BRESP must be known");
            if (rvalid && ^{rid, rresp, rlast} === 1'bx) broken("A3.2.2: RID, RRESP and RLAST must be known");
        end
    endtask

    task stable;
        begin
            if (aw_waits) begin
                if (!awvalid) broken("A3.2.1: AWVALID must stay high until AWREADY");
                else if (aw_now !== aw_before) broken("A3.2.1: what belongs to AWVALID must not change until AWREADY");
            end else if (awvalid && !awready) aw_before = aw_now;
            if (w_waits) begin
                if (!wvalid) broken("A3.2.1: WVALID must stay high until WREADY");
                else if ({wdata, wstrb, wlast} !== w_before)
                    broken("A3.2.1: what belongs to WVALID must not change until WREADY");
            end else if (wvalid && !wready) w_before = {wdata, wstrb, wlast};
            if (b_waits) begin
                if (!bvalid) broken("A3.2.1: BVALID must stay high until BREADY");
                else if ({bid, bresp} !== b_before)
                    broken("A3.2.1: what belongs to BVALID must not change until BREADY");
            end else if (bvalid && !bready) b_before = {bid, bresp};
            if (ar_waits) begin
                if (!arvalid) broken("A3.2.1: ARVALID must stay high until ARREADY");
                else if (ar_now !== ar_before) broken("A3.2.1: what belongs to ARVALID must not change until ARREADY");
            end else if (arvalid && !arready) ar_before = ar_now;
            if (r_waits) begin
                if (!rvalid) broken("A3.2.1: RVALID must stay high until RREADY");
                else if ({rid, rdata, rresp, rlast} !== r_before)
                    broken("A3.2.1: what belongs to RVALID must not change until RREADY");
            end else if (rvalid && !rready) r_before = {rid, rdata, rresp, rlast};
        end
    endtask

    task answered;
        begin
            if (bvalid && !b_waits) begin
                if (answers[bid] == 0) broken("A3.3.1: BVALID must wait for the address and last data of its ID");
                if (bresp == EXOKAY) broken("A7.2: BRESP must not be EXOKAY, for no access is exclusive");
            end
            if (bvalid && bready && answers[bid] != 0) begin
                answers[bid] = answers[bid] - 1;
                under_way = under_way - 1;
            end
            if (rvalid && !r_waits) begin
                if (r_in[rid] == r_out[rid]) broken("A3.3.1: RVALID must wait for an address of its ID");
                else if (rlast && r_beat[rid] != r_length[{rid, r_out[rid][PTR-1:0]}])
                    broken("A3.4.1: RLAST must not come before beat ARLEN + 1");
                else if (!rlast && r_beat[rid] == r_length[{rid, r_out[rid][PTR-1:0]}])
                    broken("A3.4.1: RLAST must come with beat ARLEN + 1");
                if (rresp == EXOKAY) broken("A7.2: RRESP must not be EXOKAY, for no access is exclusive");
            end
            if (rvalid && rready && r_in[rid] != r_out[rid]) begin
                r_beat[rid] = rlast ? 8'd0 : r_beat[rid] + 8'd1;
                if (rlast) begin
                    r_out[rid] = r_out[rid] + 1;
                    under_way = under_way - 1;
                end
            end
        end
    endtask

    task address(
        input [15:0] channel, input [11:0] start, input [7:0] length, input [2:0] size, input [1:0] kind,
        input [3:0] cache
    );
        begin
            if ((1 << size) > LANES) broken({"A3.4.1: ", channel, "SIZE must not exceed the bus"});
            if (kind == RESERVED) broken({"A3.4.1: ", channel, "BURST must not be 0b11"});
            if (kind == FIXED && length > 15)
                broken({"A3.4.1: FIXED bursts must have at most 16 beats, see ", channel});
            if (kind == WRAP && length != 1 && length != 3 && length != 7 && length != 15)
                broken({"A3.4.1: WRAP bursts must have 2, 4, 8 or 16 beats, see ", channel});
            if (kind == WRAP && (start & ~(12'hfff << size)) != 0)
                broken({"A3.4.1: WRAP bursts must begin at a multiple of their size, see ", channel});
            if (kind == 2'd1 && crosses(start, length, size))
                broken({"A3.4.1: bursts must not span a multiple of 4 KiB, see ", channel});
            if (!cache[1] && cache[3:2] != 0) broken({"A4.4: ", channel, "CACHE must not have a reserved value"});
        end
    endtask

    task addresses;
        begin
            if (awvalid && !aw_waits) address("AW", awaddr[11:0], awlen, awsize, awburst, awcache);
            if (arvalid && !ar_waits) address("AR", araddr[11:0], arlen, arsize, arburst, arcache);
            if (arvalid && arready) begin
                if (r_in[arid] == (r_out[arid] ^ DEPTH)) broken("no rule, but the checker's DEPTH: it must be larger");
                r_length[{arid, r_in[arid][PTR-1:0]}] = arlen;
                r_in[arid] = r_in[arid] + 1;
                under_way = under_way + 1;
            end
            if (awvalid && awready) begin
                under_way = under_way + 1;
                if (early_in != early_out) begin
                    if (early[early_out[PTR-1:0]] != awlen)
                        broken("A3.4.1: WLAST must come with beat AWLEN + 1, no other");
                    early_out = early_out + 1;
                    answers[awid] = answers[awid] + 1;
                end else begin
                    if (w_in == w_out && w_beat > awlen) broken("A3.4.1: WLAST must come with beat AWLEN + 1");
                    if (w_in == (w_out ^ DEPTH)) broken("no rule, but the checker's DEPTH: it must be larger");
                    narrow = (1 << awsize) != LANES || (awaddr & (LANES - 1)) != 0;
                    w_burst[w_in[PTR-1:0]] = {narrow, awid, awaddr[11:0], awlen, awsize, awburst};
                    w_in = w_in + 1;
                end
            end
        end
    endtask

    task written;
        if (wvalid && wready) begin
            if (w_in != w_out) begin
                {narrow, w_id, w_start, w_length, w_size, w_kind} = w_burst[w_out[PTR-1:0]];
                if (wlast && w_beat != w_length) broken("A3.4.1: WLAST must not come before beat AWLEN + 1");
                if (!wlast && w_beat == w_length) broken("A3.4.1: WLAST must come with beat AWLEN + 1");
                if (narrow && (1 << w_size) <= LANES)
                    if ((wstrb & ~lanes(w_start, w_length, w_size, w_kind, w_beat)) != 0)
                        broken("A3.4.3: WSTRB must be low for byte lanes that a beat does not have");
                if (wlast) begin
                    w_out = w_out + 1;
                    answers[w_id] = answers[w_id] + 1;
                end
            end else if (wlast) begin
                if (early_in == (early_out ^ DEPTH)) broken("no rule, but the checker's DEPTH: it must be larger");
                early[early_in[PTR-1:0]] = w_beat[7:0];
                early_in = early_in + 1;
            end else if (w_beat == 9'd255) broken("A3.4.1: WLAST must come with beat 256 at the latest");
            w_beat = wlast ? 9'd0 : w_beat[8] ? w_beat : w_beat + 9'd1;
        end
    endtask
endmodule
