package main

import (
	"fmt"
	"slices"
	"strings"

	"trimtab/internal/spell"
)

// The settings that the handler reads. Those without our prefix are set by the host, the platform or the SDK's users.
const (
	setPort        = "FUNCTIONS_CUSTOMHANDLER_PORT"
	setLedger      = "TRIMTAB_LEDGER"
	setTableURL    = "TRIMTAB_TABLE_ENDPOINT"
	setTableString = "TRIMTAB_TABLE_CONNECTION"
	setTableName   = "TRIMTAB_TABLE_NAME"
	setPolicies    = "TRIMTAB_POLICIES"
	setBundles     = "TRIMTAB_BUNDLES"
	setBundleDir   = "TRIMTAB_BUNDLE_DIR"
	setARMEndpoint = "TRIMTAB_ARM_ENDPOINT"
	setARMAudience = "TRIMTAB_ARM_AUDIENCE"
	setClientID    = "AZURE_CLIENT_ID"
	setFreeze      = "TRIMTAB_FREEZE"
	setFactsMaxAge = "TRIMTAB_FACTS_MAX_AGE"
	setDeadline    = "TRIMTAB_DEADLINE"
	setJournalDays = "TRIMTAB_JOURNAL_DAYS"
	setLogLevel    = "TRIMTAB_LOG_LEVEL"
	setClock       = "TRIMTAB_CLOCK"
	setStorage     = "AzureWebJobsStorage"
	setStorageURL  = "AzureWebJobsStorage__tableServiceUri"
	setStorageName = "AzureWebJobsStorage__accountName"
	setIdentity    = "IDENTITY_ENDPOINT"
	setBlobURL     = "AzureWebJobsStorage__blobServiceUri"

	setGroup        = "METRICS_CONSUMER_GROUP"
	setMarksURL     = "TRIMTAB_CHECKPOINT_ENDPOINT"
	setMarksString  = "TRIMTAB_CHECKPOINT_CONNECTION"
	setMarksName    = "TRIMTAB_CHECKPOINT_CONTAINER"
	setStart        = "TRIMTAB_CONSUME_START"
	setBatch        = "TRIMTAB_CONSUME_BATCH"
	setExpiry       = "TRIMTAB_CONSUME_EXPIRY"
	setMarksEvery   = "TRIMTAB_CONSUME_CHECKPOINT"
	setSweepEvery   = "TRIMTAB_CONSUME_SWEEP"
	setHealth       = "TRIMTAB_HEALTH_ADDRESS"
	setStreamHub    = "TRIMTAB_STREAM_HUB"
	setStreamSpace  = "TRIMTAB_STREAM_NAMESPACE"
	setStreamString = "TRIMTAB_STREAM_CONNECTION"
)

// setting is one setting the handler knows.
type setting struct {
	name string
	// fallback is what holds when it is not set, as the help shows it.
	fallback string
	// about says what it does, in one line.
	about string
	// secret values are never shown, not even in a complaint about them.
	secret bool
	// outside marks what the host or the platform brings along; our sample of settings does without.
	outside bool
}

// settings are all of them, in the order of the help and of the README.
var settings = []setting{
	{name: setLedger, fallback: "table", about: `where memory lies: "table", "memory" (lost at exit) or "file:DIR"`},
	{name: setTableURL, about: "table service as https://ACCOUNT.table.core.windows.net, reached by identity"},
	{name: setTableString, about: "table service by connection string; UseDevelopmentStorage=true is Azurite", secret: true},
	{name: setTableName, fallback: "trimtab", about: "name of the table"},
	{name: setPolicies, about: `folder of policies, or "embedded"; else policies/ where there is one, else the embedded ones`},
	{name: setBundles, about: "OPA's configuration of bundles (services, bundles, keys) as JSON or a file: policies come from there", secret: true},
	{name: setBundleDir, about: "folder that keeps the last good bundles; else one in the user's cache"},
	{name: setARMEndpoint, fallback: publicARM, about: "Azure Resource Manager"},
	{name: setARMAudience, about: "audience of its tokens; the endpoint unless given"},
	{name: setClientID, about: "client ID of a user-assigned identity"},
	{name: setFreeze, fallback: "false", about: "true decides and records, and changes no scale set"},
	{name: setFactsMaxAge, fallback: "5m", about: "age up to which facts about a scale set are decided on"},
	{name: setDeadline, fallback: "2m", about: "our own limit for one invocation, below the host's functionTimeout"},
	{name: setJournalDays, fallback: "30", about: "days that journal entries are kept"},
	{name: setLogLevel, fallback: "info", about: "debug, info, warn or error"},
	{name: setClock, about: "SCALE,ORIGIN,WALL_MS: time runs faster; only against an ARM endpoint on loopback"},
	{name: setStreamHub, about: "event hub that journal entries are streamed to as CloudEvents; none unless given"},
	{name: setStreamSpace, about: "its namespace, reached by identity, such as NAME.servicebus.windows.net"},
	{name: setStreamString, about: "the same by connection string", secret: true},
	{name: setGroup, fallback: "$Default", about: "consumer group of the trigger, and of consume"},
	{name: setMarksURL, about: "consume: blob service for checkpoints, https://ACCOUNT.blob.core.windows.net, by identity"},
	{name: setMarksString, about: "consume: the same by connection string", secret: true},
	{name: setMarksName, fallback: "trimtab-checkpoints", about: "consume: container of the checkpoints"},
	{name: setStart, fallback: "latest", about: "consume: where a partition without a checkpoint begins: latest, earliest or an instant"},
	{name: setBatch, fallback: "100", about: "consume: events that are taken at once"},
	{name: setExpiry, fallback: "1m", about: "consume: how long the partitions of a process that died stay unread"},
	{name: setMarksEvery, fallback: "5s", about: "consume: how far checkpoints lie behind"},
	{name: setSweepEvery, fallback: "1m", about: "consume: time between two sweeps"},
	{name: setHealth, fallback: "127.0.0.1:8080", about: "consume: where /livez, /readyz and /status answer"},
	{name: setPort, about: "port on 127.0.0.1, given by the host", outside: true},
	{name: setStorage, about: "the host's own storage; its table service is used when none is named above", secret: true},
	{name: setStorageURL, about: "the same by identity: its table service", outside: true},
	{name: setBlobURL, about: "the same by identity: its blob service, for consume", outside: true},
	{name: setStorageName, about: "the same by identity: its account", outside: true},
	{name: setIdentity, about: "managed identity, given by the platform", secret: true, outside: true},
}

// settingsHelp is the table of settings for the help text.
func settingsHelp() string {
	var b strings.Builder
	for _, s := range settings {
		name := s.name
		if s.fallback != "" {
			name += " (" + s.fallback + ")"
		}
		fmt.Fprintf(&b, "  %s\n        %s\n", name, s.about)
	}
	return b.String()
}

// isSecret reports whether the value of a setting must not be shown; of a name that is not ours it may not either.
func isSecret(name string) bool {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	return i < 0 || settings[i].secret
}

// nearest is the known setting with our prefix whose name differs from name in the fewest letters, empty where none is
// like it.
func nearest(name string) string {
	var ours []string
	for _, s := range settings {
		if strings.HasPrefix(s.name, ourPrefix) {
			ours = append(ours, s.name)
		}
	}
	return spell.Nearest(name, ours)
}
