package autoscale

// Zones are the time zones of Windows by lower-cased name.
func Zones() map[string]string { return windowsZones }
