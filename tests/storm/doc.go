// Package storm is what `make storm` runs: five hundred scale sets that want a change in the same minute, the real engine,
// policies and client over the emulator with the published limits in force, all in virtual time. It counts what was
// refused for want of tokens and compares the time that the changes took with the least that the limits allow.
package storm
