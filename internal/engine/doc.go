// Package engine is the corridor: it alone knows the order of the stages. It folds samples into windows, makes the view,
// asks policy and rails, writes the intent before it acts, acts once, and follows every change to its end.
//
// It holds no state between calls but locks: whatever must survive lies in the ledger. Two processes with one pool at
// the same instant are told apart by compare-and-set on the control row; whoever wins acts, the loser records that it
// lost.
package engine
