// Package traps shows, one test for each, how the recurrent problems of autoscalers on Azure are met: the real engine,
// rails and SDK against the emulator of Resource Manager, in virtual time. The numbers are those of docs/sources.md,
// VMSS 5.5. Each test fails when its remedy is taken away.
package traps
