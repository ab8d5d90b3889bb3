# Stand-ins for the commands of Vivado that the delivered scripts use. Each knows its options and how many arguments it
# takes, by Vivado's Tcl reference (UG835) and, for ipx, by its packager's guide (UG1118). What a script asks for must
# exist: files, ports of the top, interfaces, cells, pins, properties. Anything else is an error. `stub(log)` has a line
# for each call.
array set stub {log {} project {} files {} core 0 launched {}}
array set property {}

# name, options with a value, options without, fewest and most other arguments
set commands {
    create_project {-part} {-force -in_memory} 1 2
    close_project {} {} 0 0
    current_project {} {} 0 0
    add_files {-fileset} {-norecurse} 1 1
    get_files {-of_objects} {-quiet} 1 1
    current_fileset {} {} 0 0
    update_compile_order {-fileset} {} 0 0
    set_property {-dict} {} 1 3
    get_property {} {} 2 2
    get_board_parts {} {-quiet} 1 1
    update_ip_catalog {} {-rebuild} 0 0
    create_bd_design {} {} 1 1
    create_bd_cell {-type -vlnv} {} 1 1
    apply_bd_automation {-rule -config} {} 1 1
    get_bd_intf_pins {} {} 1 1
    get_bd_pins {} {} 1 1
    get_bd_addr_segs {} {} 1 1
    connect_bd_net {} {} 2 9
    assign_bd_address {} {} 0 0
    validate_bd_design {} {} 0 0
    save_bd_design {} {} 0 0
    make_wrapper {-files} {-top -import} 0 0
    launch_runs {-jobs -to_step} {} 1 1
    wait_on_run {} {} 1 1
    get_runs {} {} 1 1
    write_hw_platform {-file} {-fixed -include_bit -force} 0 0
    ipx::package_project {-root_dir -vendor -library -taxonomy -set_current} {-import_files} 0 0
    ipx::current_core {} {} 0 0
    ipx::get_bus_interfaces {-of_objects} {} 1 1
    ipx::associate_bus_interfaces {-busif -clock -reset} {} 1 1
    ipx::get_memory_maps {-of_objects} {} 1 1
    ipx::add_memory_map {} {} 2 2
    ipx::get_address_blocks {-of_objects} {} 0 1
    ipx::add_address_block {} {} 2 2
    ipx::get_address_spaces {-of_objects} {} 1 1
    ipx::add_address_space {} {} 2 2
    ipx::create_xgui_files {} {} 1 1
    ipx::update_checksums {} {} 1 1
    ipx::check_integrity {} {} 1 1
    ipx::save_core {} {} 1 1
}
set processors(xilinx.com:ip:processing_system7) {family zynq pins {IRQ_F2P} ports {M_AXI_GP0 PCW_USE_M_AXI_GP0 M_AXI_GP1 PCW_USE_M_AXI_GP1 S_AXI_HP0 PCW_USE_S_AXI_HP0 S_AXI_ACP PCW_USE_S_AXI_ACP} config {PCW_USE_M_AXI_GP0 PCW_USE_M_AXI_GP1 PCW_USE_S_AXI_HP0 PCW_USE_S_AXI_ACP PCW_USE_DEFAULT_ACP_USER_VAL PCW_USE_FABRIC_INTERRUPT PCW_IRQ_F2P_INTR PCW_EN_CLK0_PORT PCW_FPGA0_PERIPHERAL_FREQMHZ}}
set processors(xilinx.com:ip:zynq_ultra_ps_e) {family zynqmp pins {pl_ps_irq0} ports {M_AXI_HPM0_FPD PSU__USE__M_AXI_GP0 M_AXI_HPM1_FPD PSU__USE__M_AXI_GP1 M_AXI_HPM0_LPD PSU__USE__M_AXI_GP2 S_AXI_HPC0_FPD PSU__USE__S_AXI_GP0 S_AXI_HP0_FPD PSU__USE__S_AXI_GP2} config {PSU__USE__M_AXI_GP0 PSU__USE__M_AXI_GP1 PSU__USE__M_AXI_GP2 PSU__USE__S_AXI_GP0 PSU__USE__S_AXI_GP2 PSU__USE__IRQ0 PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ}}
set families {zynq zynquplus artix7 kintex7 virtex7 kintexuplus virtexuplus spartan7 artixuplus}
set core_properties {name version display_name description supported_families}

proc unknown_to_vivado {command what} { error "$command: $what" }
proc need {ok message} { if {!$ok} { error $message } }

# Take a call apart by the table above: options into the array `given`, the rest into `rest`.
proc arguments {command valued flags least most words} {
    upvar given given rest rest
    array unset given
    set rest {}
    for {set n 0} {$n < [llength $words]} {incr n} {
        set word [lindex $words $n]
        if {$word in $valued} {
            incr n
            need [expr {$n < [llength $words]}] "$command: $word has no value"
            set given($word) [lindex $words $n]
        } elseif {$word in $flags} {
            set given($word) 1
        } elseif {[string match {-[a-z]*} $word] && [llength $rest] == 0} {
            error "$command: no option $word"
        } else { lappend rest $word }
    }
    need [expr {[llength $rest] >= $least && [llength $rest] <= $most}] "$command: wrong number of arguments: $words"
}
foreach {name valued flags least most} $commands {
    if {[string match ipx::* $name]} { namespace eval ipx {} }
    proc $name args "
        global stub
        lappend stub(log) \[concat [list $name] \$args\]
        arguments [list $name $valued $flags $least $most] \$args
        return \[do_[string map {:: _} $name] given \$rest\]
    "
}
proc option {name key default} { upvar 2 $name given; return [expr {[info exists given($key)] ? $given($key) : $default}] }

proc do_create_project {g rest} {
    global stub env
    lassign $rest name folder
    need [expr {![file exists $folder] || [option $g -force 0]}] "create_project: $folder is there, and -force is not given"
    file mkdir $folder
    set stub(project) $folder; set stub(name) $name; set stub(part) [option $g -part {}]; set stub(files) {}
    return $name
}
proc do_close_project {g rest} { global stub; need [string length $stub(project)] "no project"; set stub(project) {} }
proc do_current_project {g rest} { global stub; need [string length $stub(project)] "no project"; return project }
proc do_current_fileset {g rest} { return sources_1 }
proc do_add_files {g rest} {
    global stub
    need [expr {[option $g -fileset sources_1] in {sources_1 constrs_1 sim_1}}] "add_files: no such fileset"
    foreach file [lindex $rest 0] { need [file isfile $file] "add_files: $file is not there"; lappend stub(files) $file }
}
proc do_get_files {g rest} {
    global stub
    set wanted [lindex $rest 0 0]
    foreach file $stub(files) { if {$file eq $wanted || [string match */$wanted $file]} { return $file } }
    error "get_files: no file $wanted"
}
proc do_update_compile_order {g rest} {}
proc do_set_property {g rest} {
    global property
    if {[option $g -dict {}] ne {}} {
        need [expr {[llength $rest] == 1}] "set_property -dict LIST OBJECT"
        foreach {name value} [option $g -dict {}] { set_one $name $value [lindex $rest 0] }
    } else {
        need [expr {[llength $rest] == 3}] "set_property NAME VALUE OBJECT, not $rest"
        set_one {*}$rest
    }
}
proc set_one {name value object} {
    global property stub core_properties families processors cells
    need [string length $object] "set_property $name: no object"
    set kind [lindex [split $object :] 0]
    if {$object eq "core"} {
        need [expr {$name in $core_properties}] "the core has no property $name"
        if {$name eq "supported_families"} { foreach {family life} $value { need [expr {$family in $families && $life in {Production Beta Pre-Production}}] "no family $family $life" } }
        if {$name eq "version"} { need [regexp {^\d+\.\d+(\.\d+)?$} $value] "the version must be numbers" }
    } elseif {$kind eq "cell"} {
        set cell [string range $object 5 end]
        need [string match CONFIG.* $name] "a cell has CONFIG properties, not $name"
        set name [string range $name 7 end]
        if {[info exists processors($cells($cell))]} {
            need [expr {$name in [dict get $processors($cells($cell)) config]}] "$cells($cell) has no CONFIG.$name"
        } else { need [expr {$name in {AXI_CACHE AXI_PROT}}] "the accelerator has no CONFIG.$name" }
        need [string is double -strict $value] "CONFIG.$name must be a number, not $value"
    } elseif {$object eq "project"} { need [expr {$name in {board_part ip_repo_paths}}] "a project has no $name"
        if {$name eq "ip_repo_paths"} { foreach path $value { need [file isdirectory $path] "$path is no folder" } }
    } elseif {$object eq "sources_1"} { need [expr {$name in {top}}] "a fileset has no $name"
    } elseif {$kind eq "bus"} { need [expr {$name in {slave_memory_map_ref master_address_space_ref}}] "an interface has no $name"
    } elseif {$kind in {block space}} {
        need [expr {$name in {range width usage}}] "$object has no $name"
        if {$name ne "usage"} { need [string is wideinteger -strict $value] "$name must be a number, not $value" }
    } elseif {$kind eq "segment"} { need [expr {$name in {offset range}}] "a segment has no $name"
    } elseif {[file isfile $object]} { need [expr {$name in {USED_IN}}] "a file has no $name"
    } else { error "set_property: unknown object $object" }
    set property($object,$name) $value
}
proc do_get_property {g rest} {
    global property stub slack
    lassign $rest name object
    switch -- $name {
        PROGRESS { return [expr {$object in $stub(launched) ? "100%" : "0%"}] }
        STATS.WNS { return $slack }
        DIRECTORY { return [file join $stub(project) $stub(name).runs $object] }
    }
    error "get_property: $object has no $name"
}
proc do_get_board_parts {g rest} { global board_parts; return [lsearch -all -inline -glob $board_parts [lindex $rest 0]] }
proc do_update_ip_catalog {g rest} {}
proc do_create_bd_design {g rest} { global stub; set stub(design) [lindex $rest 0]; lappend stub(files) $stub(project)/[lindex $rest 0].bd }
proc do_create_bd_cell {g rest} {
    global cells processors property
    set vlnv [option $g -vlnv {}]
    set known [expr {[info exists processors($vlnv)] || [regexp {^reprise:accelerators:reprise(:[\d.]+)?$} $vlnv]}]
    need $known "no IP $vlnv"
    if {![info exists processors($vlnv)]} { need [info exists property(project,ip_repo_paths)] "the repository of the IP is not set" }
    set cells([lindex $rest 0]) $vlnv
    return cell:[lindex $rest 0]
}
proc do_apply_bd_automation {g rest} {
    global cells
    set rule [option $g -rule {}]
    set config [option $g -config {}]
    need [expr {[llength $config] % 2 == 0}] "apply_bd_automation: -config is no list of names and values"
    switch -- $rule {
        xilinx.com:bd_rule:processing_system7 { set known {make_external apply_board_preset Master Slave} }
        xilinx.com:bd_rule:zynq_ultra_ps_e { set known {apply_board_preset} }
        xilinx.com:bd_rule:axi4 { set known {Clk_master Clk_slave Clk_xbar Master Slave ddr_seg intc_ip master_apm} }
        default { error "no rule $rule" }
    }
    foreach {name value} $config { need [expr {$name in $known}] "$rule has no $name" }
    if {$rule eq "xilinx.com:bd_rule:axi4"} {
        foreach end {Master Slave} { interface [string range [dict get $config $end] 1 end] }
    }
}
# An interface pin CELL/NAME: of the accelerator, or of the processor, where its port must be in use.
proc interface {path} {
    global cells processors property
    lassign [split $path /] cell name
    need [info exists cells($cell)] "no cell $cell"
    if {[info exists processors($cells($cell))]} {
        set ports [dict get $processors($cells($cell)) ports]
        need [dict exists $ports $name] "$cell has no port $name"
        set key property(cell:$cell,[dict get $ports $name])
        need [expr {[info exists $key] && [set $key]}] "$cell/$name is not in use"
    } else { need [expr {$name in {s_axil m_axi}}] "$cell has no $name" }
    return $path
}
proc do_get_bd_intf_pins {g rest} { return [interface [lindex $rest 0]] }
proc do_get_bd_pins {g rest} {
    global cells processors
    lassign [split [lindex $rest 0] /] cell name
    need [info exists cells($cell)] "no cell $cell"
    set known [expr {[info exists processors($cells($cell))] ? [dict get $processors($cells($cell)) pins] : {irq aclk aresetn}}]
    need [expr {$name in $known}] "$cell has no pin $name"
    return pin:$cell/$name
}
proc do_get_bd_addr_segs {g rest} { need [string match ps/Data/SEG_reprise_0* [lindex $rest 0]] "no segment $rest"; return segment:registers }
proc do_connect_bd_net {g rest} { foreach pin $rest { need [string match pin:* $pin] "connect_bd_net: $pin is no pin" } }
proc do_assign_bd_address {g rest} {}
proc do_validate_bd_design {g rest} {}
proc do_save_bd_design {g rest} {}
proc do_make_wrapper {g rest} { need [string match *.bd [option $g -files {}]] "make_wrapper: -files FILE" }
proc do_get_runs {g rest} { need [expr {[lindex $rest 0] in {synth_1 impl_1}}] "no run $rest"; return [lindex $rest 0] }
proc do_launch_runs {g rest} {
    global stub property
    need [expr {[lindex $rest 0] in {synth_1 impl_1}}] "no run $rest"
    need [info exists property(sources_1,top)] "no top"
    need [string is integer -strict [option $g -jobs 1]] "-jobs N"
    lappend stub(launched) [lindex $rest 0]
    if {[lindex $rest 0] eq "impl_1"} {
        need [expr {"synth_1" in $stub(launched)}] "impl_1 before synth_1"
        set folder [file join $stub(project) $stub(name).runs impl_1]
        file mkdir $folder [file join $stub(project) $stub(name).gen sources_1 bd $stub(design) hw_handoff]
        close [open [file join $folder system_wrapper.bit] w]
        close [open [file join $stub(project) $stub(name).gen sources_1 bd $stub(design) hw_handoff system.hwh] w]
    }
}
proc do_wait_on_run {g rest} { global stub; need [expr {[lindex $rest 0] in $stub(launched)}] "$rest was not launched" }
proc do_write_hw_platform {g rest} { close [open [option $g -file {}] w] }

# The packager infers interfaces from the attributes in the top's Verilog.
proc do_ipx_package_project {g rest} {
    global stub property buses
    array unset buses
    need [info exists property(sources_1,top)] "no top"
    foreach file $stub(files) {
        if {[file tail $file] ne "$property(sources_1,top).v"} continue
        set channel [open $file]
        set text [read $channel]
        close $channel
        foreach {all kind bus signal} [regexp -all -inline {X_INTERFACE_INFO = "xilinx.com:(?:interface|signal):(\w+):1.0 (\w+) (\w+)"} $text] { lappend buses($bus) $signal }
        foreach {all bus rest} [regexp -all -inline {X_INTERFACE_PARAMETER = "XIL_INTERFACENAME (\w+), ([^"]*)"} $text] { set stub(parameters,$bus) $rest }
    }
    file mkdir [option $g -root_dir {}]
    set stub(root) [option $g -root_dir {}]
    set stub(core) 1
}
proc do_ipx_current_core {g rest} { global stub; need $stub(core) "no core"; return core }
proc do_ipx_get_bus_interfaces {g rest} { global buses; return [expr {[info exists buses([lindex $rest 0])] ? "bus:[lindex $rest 0]" : ""}] }
proc do_ipx_associate_bus_interfaces {g rest} {
    global buses
    foreach key {-busif -clock -reset} { set name [option $g $key {}]; if {$name ne {}} { need [info exists buses($name)] "no interface $name" } }
    need [expr {$rest eq "core"}] "associate_bus_interfaces: no core"
}
proc do_ipx_get_memory_maps {g rest} { return {} }
proc do_ipx_add_memory_map {g rest} { need [expr {[lindex $rest 1] eq "core"}] "no core"; return map:[lindex $rest 0] }
proc do_ipx_get_address_blocks {g rest} { return {} }
proc do_ipx_add_address_block {g rest} { need [string match map:* [lindex $rest 1]] "no memory map"; return block:[lindex $rest 0] }
proc do_ipx_get_address_spaces {g rest} { return {} }
proc do_ipx_add_address_space {g rest} { need [expr {[lindex $rest 1] eq "core"}] "no core"; return space:[lindex $rest 0] }
foreach name {create_xgui_files update_checksums check_integrity} { proc do_ipx_$name {g rest} { need [expr {$rest eq "core"}] "no core" } }
proc do_ipx_save_core {g rest} { global stub; close [open [file join $stub(root) component.xml] w] }
