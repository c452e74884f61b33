// Package forecast keeps a compact history of a pool's loads and says what it lets expect.
//
// It is pure, and reckons in whole thousandths: the same history gives the same forecast on every machine. What was not
// measured stays a gap and is never read as zero, and with too little history there is no forecast, only the reason why.
package forecast
