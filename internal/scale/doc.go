// Package scale holds the nouns that every room of Trimtab shares, and nothing else: no input or output, no clock, no
// logging, no knowledge of Azure, Rego or tables.
//
// # One decision, from event to capacity
//
// An event reaches a door. The metric room decodes it into samples ([Sample]); each sample that a pool ([Pool]) listens
// to is folded, once, into that pool's window ([StoredWindow]). From the windows, the facts about the scale set ([Facts])
// and what the pool remembers ([Control]) the engine makes a view ([View]): everything that a decision may depend on,
// the instant of the decision among it. The policy room turns the view into a proposal ([Proposal]): how many instances
// are wanted, how they should be mixed, and every reason. The guard room turns view and proposal into a decision
// ([Decision]): hold, or scale, with every adjustment on the way. A decision that changes something is written down as
// an intent ([Intent]) before it is acted on, and closed by an outcome ([Outcome]) when the change has ended. Every
// evaluation, "nothing happened, because" included, leaves an entry ([Entry]) in the journal, from which the same
// decision can be computed again.
//
// # Words
//
// pool: what is scaled. signal: a named series that a pool's policy may use. sample: one measured point. window: the
// recent samples of a signal in event-time buckets. view: what the policy sees. proposal: what the policy wants.
// decision: what the rails allow. rail: a safety rule that no policy can lift. intent: a decision that changes
// something, written before it is acted on. outcome: how the intent ended. entry: the journal's record of one
// evaluation. mode: observe or enforce. freeze, pause, pin: stop everything; stop one direction; hold an exact count.
//
// The documents (view, proposal, decision, entry, control) carry their JSON names here, next to the nouns, so that one
// name goes from Go to Rego to row to page (docs/adr/0006).
package scale
