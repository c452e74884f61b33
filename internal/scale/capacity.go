package scale

// Rounding names the rule by which a share of instances becomes a whole number.
type Rounding string

// The rounding rules. Azure rounds the regular share down and gives the odd instance to Spot; AWS rounds it up (facts:
// VMSS 2.1, features 24).
const (
	RegularDown Rounding = "regular_down"
	RegularUp   Rounding = "regular_up"
)

// Mix says how instances split into regular and Spot: Base regular ones first, then RegularPercent of what is above.
type Mix struct {
	Base           int `json:"base"`
	RegularPercent int `json:"regular_percent"`
}

// Regular is the number of regular instances among n by Azure's arithmetic: n up to the base, then the base plus the
// floor of the share above it. It reproduces both tables of the Spot priority mix page (facts: VMSS 2.1).
func (m Mix) Regular(n int) int {
	if n <= m.Base {
		return n
	}
	return m.Base + m.RegularPercent*(n-m.Base)/100
}

// Change is how a set of so many regular and Spot machines, evicted but deallocated ones among the latter, is split after
// d more of them, or after -d fewer (facts: VMSS 2.1). A surplus of regular ones stays while the set grows; what a
// shrink takes is not documented further than that the mix decides first.
func (m Mix) Change(regular, spot, d int) (regularAfter, spotAfter int) {
	target := m.Regular(regular + spot + d)
	if d >= 0 {
		add := min(max(target-regular, 0), d)
		return regular + add, spot + d - add
	}
	take := min(max(regular-target, 0), -d, regular)
	take = max(take, -d-spot)
	return regular - take, spot + d + take
}

// For returns the mix whose arithmetic, which always rounds down, yields for n instances what the named rounding rule
// asks for: with RegularUp the base is raised by as little as does it.
func (m Mix) For(n int, r Rounding) Mix {
	if r != RegularUp || n <= m.Base || m.RegularPercent < 0 || m.RegularPercent > 100 {
		return m
	}
	want := m.Base + (m.RegularPercent*(n-m.Base)+99)/100
	for m.Base < n && m.Regular(n) < want {
		m.Base++
	}
	return m
}

// Capacity is a number of instances and, for pools that have one, their mix.
type Capacity struct {
	Instances int  `json:"instances"`
	Mix       *Mix `json:"mix,omitempty"`
}

// Direction is the way that a change moves the number of instances.
type Direction string

// The directions of a change.
const (
	Grow   Direction = "grow"
	Shrink Direction = "shrink"
	// Remix changes the mix and leaves the number alone.
	Remix Direction = "mix"
	// Clean deletes machines that serve nobody, and leaves the number alone.
	Clean Direction = "clean"
	// Starting is the direction of a back-off that forbids to start parked machines, and nothing else.
	Starting Direction = "start"
	// Still is the direction of a hold.
	Still Direction = "none"
)
