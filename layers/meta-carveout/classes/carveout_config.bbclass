# SPDX-License-Identifier: MIT OR Apache-2.0
# Stops at parse time if a CARVEOUT_* variable has a value that cannot be.

def carveout_module(d, name):
    """A module of this layer's lib/."""
    import importlib
    import sys
    folder = d.getVar('CARVEOUT_LAYERDIR') + '/lib'
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module('carveout.' + name)

# meta-rust-bin looks for armv7 among a machine's overrides, so that each machine's name would make another compiler.
rust_target[vardepsexclude] += "MACHINEOVERRIDES"

addhandler carveout_check
carveout_check[eventmask] = "bb.event.ConfigParsed"
python carveout_check() {
    def flags_of(name):
        return {flag: d.getVarFlag(name, flag) for flag in d.getVarFlags(name) or {}}
    problems = carveout_module(d, 'config').problems(d.getVar, flags_of, d.getVar('CARVEOUT_WORKSPACE'))
    if problems:
        bb.fatal('\n'.join(problems))
}
