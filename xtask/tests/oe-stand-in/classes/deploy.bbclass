# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's. The task itself is the recipe's.
DEPLOYDIR = "${WORKDIR}/deploy-${PN}"
do_deploy[dirs] = "${B}"
do_deploy[cleandirs] = "${DEPLOYDIR}"
