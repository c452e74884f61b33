// Package ledger is the memory: control rows, windows, the journal and the dead letters, in Table storage, in memory or
// in a folder. Whatever it lies in, a commit is stored whole or not at all, nothing is overwritten that its writer had
// not read, and a write whose reply was lost is recognised as one's own.
//
// Everything of a pool lies in one partition of one table, so that one transaction can change it:
//
//	PartitionKey      RowKey                          what
//	pool-<pool>       0-control                       the control row
//	pool-<pool>       1-window-<source>               one window for each source partition
//	pool-<pool>       2-entry-<entry key>             the journal, newest first
//	dead-<source>     <inverted>-<sequence>           dead letters of one source partition, newest first
//	dead-<source>     x-<digest of the body>          dead letters that came without a sequence number
//
// Control row and windows are one contiguous range: one query reads them. Documents lie in numbered properties, because
// a property holds 64 KiB (facts: events 5.1); beside them are plain columns for people who look at the table.
package ledger
