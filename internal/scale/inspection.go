package scale

import "time"

// Inspection is what a read of a scale set says to a person who looks after the installation.
type Inspection struct {
	Facts Facts
	// ServerAt is the service's clock when it answered, in whole seconds, zero where it did not say; AskedAt and AnsweredAt
	// are ours around it.
	ServerAt, AskedAt, AnsweredAt time.Time
}

// Permission is what one role assignment allows its holder: the actions but for those taken out. They may hold asterisks.
type Permission struct {
	Actions, NotActions []string
}
