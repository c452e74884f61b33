package scale

import "time"

// Candidate is a policy that a pool tries beside its own: it is asked on every view and recorded with the difference, and
// touches nothing unless a rollout has come to the pool.
type Candidate struct {
	// Policy is the package below data.pools.
	Policy string
	// Decides is true when a rollout has come to the pool: then the candidate decides and the pool's own policy is asked
	// beside it.
	Decides bool
	// Attempt is the rollout's: a greater one forgets that the candidate was sent back.
	Attempt int
}

// Trial is what a pool remembers of its candidate. Errors and Rails are counted over the same views for both policies, so
// that a bad hour counts against neither.
type Trial struct {
	Candidate string `json:"candidate"`
	Attempt   int    `json:"attempt"`
	// Since is when the candidate began to decide. It decides until ReturnedAt, the instant at which it was sent back.
	Since      time.Time `json:"since"`
	ReturnedAt time.Time `json:"returned_at"`
	// Why says why it was sent back.
	Why string `json:"why,omitempty"`
	// Evaluations is how many views were decided by the candidate.
	Evaluations int   `json:"evaluations"`
	Trying      Tally `json:"trying"`
	Own         Tally `json:"own"`
}

// Tally counts what speaks against a policy.
type Tally struct {
	// Errors are evaluations with a fault.
	Errors int `json:"errors"`
	// Rails are rails that changed the number that the policy wanted.
	Rails int `json:"rails"`
}

// Beside is the policy that was asked beside the one that decided: its proposal, and what the rails would have made of it.
type Beside struct {
	// Policy is the one that was asked, Candidate the pool's candidate: the two are the same unless the candidate decided.
	Policy    string   `json:"policy"`
	Candidate string   `json:"candidate"`
	Proposal  Proposal `json:"proposal"`
	Decision  Decision `json:"decision"`
	// Differs is true when the decision would have been another, Instances by how many instances.
	Differs   bool `json:"differs"`
	Instances int  `json:"instances"`
}
