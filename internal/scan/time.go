package scan

import "time"

// Time reads an instant as RFC 3339 writes it, with three liberties that real senders take: the zone may be missing and
// is UTC then, a space may stand for the T, and t and z may be small (facts: events 1.11). Beyond the ninth digit
// fractions are cut off. The result is in UTC.
func Time(text []byte) (at time.Time, ok bool) {
	const date = len("2006-01-02T15:04:05")
	if len(text) < date || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
		text[10]|0x20 != 't' && text[10] != ' ' {
		return at, false
	}
	century, ok0 := two(text)
	year, ok1 := two(text[2:])
	month, ok2 := two(text[5:])
	day, ok3 := two(text[8:])
	hour, ok4 := two(text[11:])
	minute, ok5 := two(text[14:])
	second, ok6 := two(text[17:])
	if !(ok0 && ok1 && ok2 && ok3 && ok4 && ok5 && ok6) {
		return at, false
	}
	year += 100 * century
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return at, false
	}
	nanos, rest, ok := fraction(text[date:])
	if !ok {
		return at, false
	}
	offset, ok := zone(rest)
	if !ok {
		return at, false
	}
	at = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	// A day that the month does not have becomes one of the next month.
	if at.Day() != day {
		return time.Time{}, false
	}
	return at.Add(-offset), true
}

func two(d []byte) (int, bool) {
	a, b := d[0]-'0', d[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// fraction reads a decimal fraction of a second, if there is one.
func fraction(d []byte) (nanos int, rest []byte, ok bool) {
	if len(d) == 0 || d[0] != '.' {
		return 0, d, true
	}
	i, unit := 1, 100_000_000
	for ; i < len(d) && d[i]-'0' <= 9; i++ {
		nanos += unit * int(d[i]-'0')
		unit /= 10
	}
	return nanos, d[i:], i > 1
}

// zone reads what stands behind a time of day: nothing, Z, or +hh:mm.
func zone(d []byte) (time.Duration, bool) {
	if len(d) == 0 || len(d) == 1 && d[0]|0x20 == 'z' {
		return 0, true
	}
	if len(d) != len("+00:00") || d[0] != '+' && d[0] != '-' || d[3] != ':' {
		return 0, false
	}
	hours, ok1 := two(d[1:])
	minutes, ok2 := two(d[4:])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if d[0] == '-' {
		offset = -offset
	}
	return offset, true
}
