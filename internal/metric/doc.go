// Package metric turns events into samples and samples into windows, and windows into what a policy may see of a signal.
// It is pure: no clock, no input or output, no logging; whatever the order, the repetition or the cut of the batches, the
// same events make the same windows, byte for byte. Absent stays absent: what was not measured is never read as zero,
// and a statistic of a window exists only where every sample that it would rest on carried it.
package metric
