// Package arm is a small Azure Resource Manager that knows virtual machine scale sets: the REST protocol as the platform
// speaks it (facts: VMSS 1, 7.4), served over TLS on loopback with a certificate authority of its own, next to a
// managed-identity endpoint and a control port. Tests hold it in their own process; the program above it serves whole
// binaries.
//
// Its state moves with the clock that it is given and with nothing else: machines boot, operations end and records are
// forgotten when that clock says so. It imports neither the SDK nor the code under test, so that both are checked
// against the documents and not against themselves, and what it does not emulate it refuses (501 NotEmulated) instead of
// ignoring.
//
// Everything a test may turn is a [Knob]: a Go value given to [Server.Turn], or the same value as JSON posted to
// /turn/NAME on the control port.
package arm
