package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"trimtab/internal/hub"
)

// following is what the environment says of the hub to follow. It holds secrets: only shown is for a log.
type following struct {
	hub        hub.Options
	group      string
	marks      hub.Checkpoints
	start      hub.Start
	batch      int
	expiry     time.Duration
	marksEvery time.Duration
	sweepEvery time.Duration
	health     string

	shown []slog.Attr
}

// readFollowing reads the settings of consume. The error joins every problem there is.
func readFollowing(environ []string, credential azcore.TokenCredential) (*following, error) {
	r := newReader(environ)
	f := &following{
		group: r.text(setGroup, "$Default"), start: r.start(),
		batch:      r.integer(setBatch, 100, 1, 5000),
		expiry:     r.duration(setExpiry, time.Minute, 3*time.Second, 10*time.Minute),
		marksEvery: r.duration(setMarksEvery, 5*time.Second, 0, 10*time.Minute),
		sweepEvery: r.duration(setSweepEvery, time.Minute, time.Second, 10*time.Minute),
		health:     r.address(setHealth, "127.0.0.1:8080"),
	}
	f.marks = r.marks()
	f.marks.Credential = credential
	options, err := r.hub()
	if err != nil {
		r.problems = append(r.problems, err)
	}
	f.hub = options
	f.hub.Credential = credential
	r.show("hub", options.Name())
	f.shown = r.shown
	return f, errors.Join(r.problems...)
}

// hub reads by which settings the Functions host reaches the hub.
func (r *reader) hub() (hub.Options, error) {
	o := hub.Options{Connection: r.env[setHubString], Hub: r.env[setHubName]}
	if o.Connection == "" {
		o.Namespace = r.env[setHubNamespace]
	}
	if o.Connection == "" && o.Namespace == "" {
		return o, fmt.Errorf("%s or %s: neither is set; right would be the hub's connection string, or its namespace, such as "+
			"name.servicebus.windows.net", setHubString, setHubNamespace)
	}
	return o, nil
}

// marks finds the blob service for checkpoints: our own settings first, else that of the host's storage.
func (r *reader) marks() hub.Checkpoints {
	c := hub.Checkpoints{Container: r.text(setMarksName, "trimtab-checkpoints")}
	if n := len(c.Container); n < 3 || n > 63 {
		r.refuse(setMarksName, "is no name of a container", "3 to 63 small letters, digits and hyphens")
	}
	switch {
	case r.env[setMarksURL] != "" && r.env[setMarksString] != "":
		r.problems = append(r.problems, fmt.Errorf("%s and %s: both are set; right would be one of them", setMarksURL, setMarksString))
	case r.env[setMarksURL] != "":
		c.Endpoint = r.httpsURL(setMarksURL, "")
	case r.env[setMarksString] != "":
		c.Connection = r.connection(setMarksString, "BlobEndpoint")
	case r.env[setBlobURL] != "":
		c.Endpoint = r.httpsURL(setBlobURL, "")
	case r.env[setStorageName] != "":
		c.Endpoint = "https://" + r.matching(setStorageName, "", accountName, "3 to 24 lower-case letters and digits") + ".blob.core.windows.net"
	case r.env[setStorage] != "":
		c.Connection = r.connection(setStorage, "BlobEndpoint")
	default:
		r.refuse(setMarksURL, "no blob service is named, neither here nor by "+setStorage,
			"https://ACCOUNT.blob.core.windows.net, or "+setMarksString)
	}
	return c
}

// start reads where to begin.
func (r *reader) start() hub.Start {
	switch value := r.text(setStart, "latest"); value {
	case "latest":
		return hub.Start{}
	case "earliest":
		return hub.Start{Earliest: true}
	default:
		at, err := time.Parse(time.RFC3339, value)
		if err != nil || at.Year() < 2000 {
			r.refuse(setStart, "is no place to begin at", "latest, earliest, or an instant such as 2026-01-05T00:00:00Z")
		}
		return hub.Start{At: at}
	}
}

// address reads where to listen: a host and a port.
func (r *reader) address(name, fallback string) string {
	value := r.text(name, fallback)
	host, port, err := net.SplitHostPort(value)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil || n < 0 || n > 65535 || strings.ContainsAny(host, "/ ") {
		r.refuse(name, "is no address to listen on", "HOST:PORT, such as 127.0.0.1:8080, or 0.0.0.0:8080 for the probes of an orchestrator")
	}
	return value
}
