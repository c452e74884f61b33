// Package corridor walks the whole way of an event with nothing replaced that can be real: the built program, started as
// the Functions host starts it, with Azurite for its ledger and the ARM emulator behind a private CA. It holds only tests.
package corridor
