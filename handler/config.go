package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/supply"
)

const (
	ourPrefix = "TRIMTAB_"
	publicARM = "https://management.azure.com"
	// functionTimeout is host.json's: past it the host kills the process and every other invocation in it (facts:
	// functions-host 1.5). A test compares the two.
	functionTimeout = 5 * time.Minute
	// deadlineMargin is what must remain of functionTimeout after our own deadline, to answer in.
	deadlineMargin = 30 * time.Second
)

// Config is what the environment asks for. It holds secrets: it is shown by its settings only, which mask them.
type Config struct {
	// Port is what the host gave, 0 where a command needs none.
	Port   int
	Ledger Storage
	// Policies is a directory, empty for the embedded tree.
	Policies string
	// Bundles name OPA bundle services instead; nil without them. BundleDir is where last good bundles are kept.
	Bundles     *supply.Config
	BundleDir   string
	ARM         ARM
	ClientID    string
	Freeze      bool
	FactsMaxAge time.Duration
	Deadline    time.Duration
	// JournalDays is how long journal entries are kept.
	JournalDays int
	LogLevel    slog.Level
	Clock       Clock
	// OnPlatform is true where the platform offers a managed identity.
	OnPlatform bool

	shown []slog.Attr
}

// ARM is where Azure Resource Manager is reached. Audience is what tokens are asked for.
type ARM struct {
	Endpoint string
	Audience string
}

// LogValue shows the settings in force, secrets masked.
func (c *Config) LogValue() slog.Value { return slog.GroupValue(c.shown...) }

// readConfig reads the environment, in the form of os.Environ. The error joins every problem there is, each with the
// setting's name, what is wrong and what would be right. serving demands what only the host gives: the port.
func readConfig(environ []string, serving bool) (*Config, error) {
	r := newReader(environ)
	c := &Config{OnPlatform: r.env[setIdentity] != ""}
	c.Ledger = r.storage()
	c.Policies = r.policies()
	c.Bundles, c.BundleDir = r.bundles()
	c.ARM = ARM{Endpoint: r.httpsURL(setARMEndpoint, publicARM)}
	c.ARM.Audience = r.text(setARMAudience, c.ARM.Endpoint)
	c.ClientID = r.matching(setClientID, "", guid, "a GUID, such as 6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11")
	c.Freeze = r.boolean(setFreeze)
	c.FactsMaxAge = r.duration(setFactsMaxAge, 5*time.Minute, 10*time.Second, time.Hour)
	c.Deadline = r.duration(setDeadline, 2*time.Minute, time.Second, functionTimeout-deadlineMargin)
	c.JournalDays = r.integer(setJournalDays, 30, 1, 3650)
	c.LogLevel = r.level()
	c.Clock = r.clock(c.ARM.Endpoint)
	if serving {
		c.Port = r.port()
	}
	r.strangers()
	c.shown = r.shown
	return c, errors.Join(r.problems...)
}

// reader takes settings from an environment and remembers what is wrong with them and what may be shown.
type reader struct {
	env      map[string]string
	problems []error
	shown    []slog.Attr
}

func newReader(environ []string) *reader {
	r := &reader{env: map[string]string{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			r.env[name] = strings.TrimSpace(value)
		}
	}
	return r
}

// refuse records a problem with a setting, without its value where that is secret.
func (r *reader) refuse(name, problem, right string) {
	subject := fmt.Sprintf("%s=%q", name, r.env[name])
	if r.env[name] == "" {
		subject = name
	} else if isSecret(name) {
		subject = name + " (value not shown)"
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %s; right would be %s", subject, problem, right))
}

func (r *reader) show(name, value string) { r.shown = append(r.shown, slog.String(name, value)) }

// text is a setting's value, or the fallback where it is unset or empty. It is shown: not for secrets.
func (r *reader) text(name, fallback string) string {
	value := r.env[name]
	if value == "" {
		value = fallback
	}
	r.show(name, value)
	return value
}

func (r *reader) matching(name, fallback string, pattern *regexp.Regexp, right string) string {
	value := r.text(name, fallback)
	if value != "" && !pattern.MatchString(value) {
		r.refuse(name, "is not of the right form", right)
	}
	return value
}

var (
	guid        = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tableName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`)
	accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
)

func (r *reader) boolean(name string) bool {
	switch value := r.text(name, "false"); strings.ToLower(value) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	default:
		// A freeze that was meant and misspelt must not read as none.
		r.refuse(name, "is neither true nor false", "true or false")
		return true
	}
}

func (r *reader) duration(name string, fallback, least, most time.Duration) time.Duration {
	value := r.env[name]
	if value == "" {
		r.show(name, fallback.String())
		return fallback
	}
	right := fmt.Sprintf("a duration from %v to %v, such as %v", least, most, fallback)
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		r.refuse(name, "is not a duration", right)
	case d < least || d > most:
		r.refuse(name, "is out of range", right)
	}
	r.show(name, d.String())
	return d
}

func (r *reader) integer(name string, fallback, least, most int) int {
	value := r.env[name]
	if value == "" {
		r.show(name, strconv.Itoa(fallback))
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		r.refuse(name, "is no such number", fmt.Sprintf("a whole number from %d to %d", least, most))
	}
	r.show(name, value)
	return n
}

func (r *reader) level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.text(setLogLevel, "info"))); err != nil {
		r.refuse(setLogLevel, "is not a level", "debug, info, warn or error")
	}
	return level
}

// httpsURL reads the address of a service. What could hide a secret in it (user, query) is refused and never shown.
func (r *reader) httpsURL(name, fallback string) string {
	value := r.env[name]
	if value == "" {
		r.show(name, fallback)
		return fallback
	}
	const right = "https://HOST, with a port where needed and nothing else"
	u, err := url.Parse(value)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.problems = append(r.problems, fmt.Errorf("%s (value not shown): is no plain address; right would be %s", name, right))
		return ""
	}
	if u.Scheme != "https" || u.Host == "" {
		r.refuse(name, "is no https address: tokens are sent over nothing else", right)
		return ""
	}
	value = strings.TrimSuffix(value, "/")
	r.show(name, value)
	return value
}

func (r *reader) policies() string {
	const embedded, conventional = "embedded", "policies"
	value := r.env[setPolicies]
	if value == "" {
		value = embedded
		if isDirectory(conventional) {
			value = conventional
		}
	}
	r.show(setPolicies, value)
	if value == embedded {
		return ""
	}
	if !isDirectory(value) {
		r.refuse(setPolicies, "is not a directory", `a directory that holds policies, or "embedded"`)
	}
	return value
}

// bundles reads OPA's configuration of bundles: JSON in the setting itself, or the file that it names. ${NAME} stands for
// a variable of the environment, as OPA has it.
func (r *reader) bundles() (*supply.Config, string) {
	value, dir := r.env[setBundles], r.text(setBundleDir, "")
	if value == "" {
		return nil, dir
	}
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "trimtab-bundles")
		if cache, err := os.UserCacheDir(); err == nil {
			dir = filepath.Join(cache, "trimtab", "bundles")
		}
	}
	const right = `OPA's configuration with services, bundles and keys, as JSON or as the name of a file with it`
	r.show(setBundles, "(not shown)")
	if r.env[setPolicies] != "" {
		r.refuse(setBundles, "is set beside "+setPolicies, "one of them")
	}
	if !strings.HasPrefix(value, "{") {
		text, err := os.ReadFile(value)
		if err != nil {
			r.refuse(setBundles, "names no file that can be read", right)
			return nil, dir
		}
		value = string(text)
	}
	var lacking []string
	value = reference.ReplaceAllStringFunc(value, func(name string) string {
		name = name[2 : len(name)-1]
		if _, ok := r.env[name]; !ok {
			lacking = append(lacking, name)
		}
		return r.env[name]
	})
	if len(lacking) > 0 {
		r.refuse(setBundles, "refers to "+strings.Join(lacking, ", ")+", which the environment does not have", "names that are set")
		return nil, dir
	}
	var c supply.Config
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		r.refuse(setBundles, "is not such JSON", right)
		return nil, dir
	}
	return &c, dir
}

// reference is a variable of the environment within a configuration.
var reference = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// clock reads the virtual clock. Time that runs fast is for a demonstration: against a real subscription it would make
// cooldowns of seconds out of minutes, so it is taken only where ARM is on this very machine.
func (r *reader) clock(armEndpoint string) Clock {
	value := r.text(setClock, "")
	if value == "" {
		return Clock{}
	}
	c, err := parseClock(value)
	if err != nil {
		r.refuse(setClock, err.Error(), "SCALE,ORIGIN,WALL_MS, such as 1440,2026-01-05T00:00:00Z,1767571200000")
	}
	if !onLoopback(armEndpoint) {
		r.refuse(setClock, "time may not run fast against a real Azure", "none, or "+setARMEndpoint+" on loopback")
	}
	return c
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return isLoopback(u.Hostname())
}

// isLoopback reports whether a host, without port, is this machine by name or number.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

func (r *reader) port() int {
	value := r.text(setPort, "")
	n, err := strconv.Atoi(value)
	switch {
	case value == "":
		r.refuse(setPort, "is not set: the Functions host gives it", "a port from 1 to 65535, where the handler is started by hand")
	case err != nil || n < 1 || n > 65535:
		r.refuse(setPort, "is not a port", "a number from 1 to 65535")
	}
	return n
}

// strangers refuses settings with our prefix that nobody reads: a misspelt one would otherwise fall back in silence.
// Their values are not shown, since nobody knows what they are.
func (r *reader) strangers() {
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		if !strings.HasPrefix(strings.ToUpper(name), ourPrefix) {
			continue
		}
		if slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			continue
		}
		right := "one that trimtab serve --help lists"
		if near := nearest(name); near != "" {
			right = near + ", if that was meant"
		}
		r.problems = append(r.problems, fmt.Errorf("%s: there is no such setting; right would be %s", name, right))
	}
}
