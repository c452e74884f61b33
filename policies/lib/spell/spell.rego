# METADATA
# title: Which name was meant
# description: |
#   What the library says of an option that a function does not take: which function, which option, and the name that is
#   nearest to it. It is asked only when something is wrong.
package lib.spell

# METADATA
# title: Unknown options
# description: |
#   What is wrong with the names in an object, for a function that takes only those known; undefined if it takes
#   them all. The first argument is the function as an author calls it, such as scale.track.
# scope: document
stranger(function, given, known) := concat("; ", problems) if {
	names := {name | some key in object.keys(given); name := sprintf("%v", [key]); not name in known}
	count(names) > 0
	problems := {sprintf("%s has no option %q; %s", [function, name, meant(name, known)]) | some name in names}
}

# METADATA
# title: What somebody may have meant
# description: |
#   The known name that has the same letters, begins with the name, or shares the most pairs of letters with it, if that
#   is at least half of them; else all that are known.
# scope: document
meant(name, known) := sprintf("did you mean %s?", [nearest]) if {
	likeness := {other: n |
		some other in known
		n := _likeness(lower(name), lower(other))
		n >= 500
	}
	best := max([n | some n in likeness])
	nearest := min({other | some other, n in likeness; n == best})
} else := sprintf("there are %s", [concat(", ", sort([name | some name in known]))])

# In thousandths; of pairs, twice those that both have over all that there are.
_likeness(a, b) := 1000 if {
	sort(split(a, "")) == sort(split(b, ""))
} else := 900 if {
	count(a) > 2
	startswith(b, a)
} else := round((2000 * count(_pairs(a) & _pairs(b))) / (count(_pairs(a)) + count(_pairs(b))))

# The pairs of neighbouring letters, the ends of the name among them.
_pairs(name) := {concat("", [letters[i], next]) |
	letters := split(sprintf("^%s$", [name]), "")
	some i, _ in letters
	next := letters[i + 1]
}
