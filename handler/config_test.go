package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// least is the smallest environment that serves.
func least(more ...string) []string {
	return append([]string{"FUNCTIONS_CUSTOMHANDLER_PORT=41999", "TRIMTAB_LEDGER=memory"}, more...)
}

func TestReadConfig(t *testing.T) {
	base := Config{
		Port: 41999, Ledger: Storage{Kind: InMemory, Table: "trimtab"},
		ARM:         ARM{"https://management.azure.com", "https://management.azure.com"},
		FactsMaxAge: 5 * time.Minute, Deadline: 2 * time.Minute, JournalDays: 30,
	}
	const account = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5;EndpointSuffix=core.windows.net"
	folder := t.TempDir()
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		name    string
		environ []string
		want    func(*Config)
	}{
		{"everything else has a default", least(), func(*Config) {}},
		{"an empty value is none", least("TRIMTAB_DEADLINE=", "TRIMTAB_CLOCK= "), func(*Config) {}},
		{"a table by identity", least("TRIMTAB_LEDGER=table", "TRIMTAB_TABLE_ENDPOINT=https://acct.table.core.windows.net/"), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Endpoint: "https://acct.table.core.windows.net"}
		}},
		{"a table is the default", []string{"FUNCTIONS_CUSTOMHANDLER_PORT=41999", "TRIMTAB_TABLE_CONNECTION=" + account, "TRIMTAB_TABLE_NAME=Other1"}, func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "Other1", Connection: account}
		}},
		{"the emulator's shortcut", least("TRIMTAB_LEDGER=table", "TRIMTAB_TABLE_CONNECTION=UseDevelopmentStorage=true"), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Connection: "UseDevelopmentStorage=true"}
		}},
		{"the host's storage by key", least("TRIMTAB_LEDGER=table", "AzureWebJobsStorage="+account), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Connection: account}
		}},
		{"the host's storage by account name", least("TRIMTAB_LEDGER=table", "AzureWebJobsStorage__accountName=acct"), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Endpoint: "https://acct.table.core.windows.net"}
		}},
		{"the host's storage by table service", least("TRIMTAB_LEDGER=table", "AzureWebJobsStorage__tableServiceUri=https://acct.table.core.usgovcloudapi.net"), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Endpoint: "https://acct.table.core.usgovcloudapi.net"}
		}},
		{"our own setting beats the host's", least("TRIMTAB_LEDGER=table", "AzureWebJobsStorage=UseDevelopmentStorage=true", "TRIMTAB_TABLE_ENDPOINT=https://a.b"), func(c *Config) {
			c.Ledger = Storage{Kind: InTable, Table: "trimtab", Endpoint: "https://a.b"}
		}},
		{"a folder as ledger", least("TRIMTAB_LEDGER=file:/x/y"), func(c *Config) {
			c.Ledger = Storage{Kind: InFile, Dir: "/x/y", Table: "trimtab"}
		}},
		{"policies in a folder", least("TRIMTAB_POLICIES=" + folder), func(c *Config) { c.Policies = folder }},
		{"policies of the binary", least("TRIMTAB_POLICIES=embedded"), func(*Config) {}},
		{"another cloud's tokens are for its own endpoint", least("TRIMTAB_ARM_ENDPOINT=https://management.usgovcloudapi.net/"), func(c *Config) {
			c.ARM = ARM{"https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net"}
		}},
		{"an audience of its own", least("TRIMTAB_ARM_AUDIENCE=https://a"), func(c *Config) { c.ARM.Audience = "https://a" }},
		{"a user-assigned identity", least("AZURE_CLIENT_ID=6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11", "IDENTITY_ENDPOINT=http://x"), func(c *Config) {
			c.ClientID, c.OnPlatform = "6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11", true
		}},
		{"numbers", least("TRIMTAB_FREEZE=True", "TRIMTAB_FACTS_MAX_AGE=90s", "TRIMTAB_DEADLINE=30s", "TRIMTAB_JOURNAL_DAYS=7", "TRIMTAB_LOG_LEVEL=debug"), func(c *Config) {
			c.Freeze, c.FactsMaxAge, c.Deadline, c.JournalDays, c.LogLevel = true, 90*time.Second, 30*time.Second, 7, slog.LevelDebug
		}},
		{"time runs fast against an ARM on this machine", least("TRIMTAB_ARM_ENDPOINT=https://localhost:9", "TRIMTAB_CLOCK=1440,2026-01-05T00:00:00Z,1767571200000"), func(c *Config) {
			c.ARM = ARM{"https://localhost:9", "https://localhost:9"}
			c.Clock = Clock{1440, time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.UnixMilli(1767571200000).UTC()}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readConfig(tt.environ, true)
			if err != nil {
				t.Fatal(err)
			}
			want := base
			tt.want(&want)
			if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadConfigTakesThePoliciesFolderThatIsThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("policies", 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := readConfig(least(), true); err != nil || got.Policies != "policies" {
		t.Errorf("policies %q, %v; want the folder", got.Policies, err)
	}
	if got, err := readConfig(least("TRIMTAB_POLICIES=embedded"), true); err != nil || got.Policies != "" {
		t.Errorf("policies %q, %v; want the embedded ones", got.Policies, err)
	}
}

func TestReadConfigDemandsThePortOnlyToServe(t *testing.T) {
	if _, err := readConfig([]string{"TRIMTAB_LEDGER=memory"}, false); err != nil {
		t.Errorf("without serving: %v", err)
	}
}

func TestReadConfigRefuses(t *testing.T) {
	for _, tt := range []struct{ name, settings, want string }{
		{"a port that is none", "FUNCTIONS_CUSTOMHANDLER_PORT=65536", `FUNCTIONS_CUSTOMHANDLER_PORT="65536": is not a port; right would be a number from 1 to 65535`},
		{"no port", "FUNCTIONS_CUSTOMHANDLER_PORT=", "FUNCTIONS_CUSTOMHANDLER_PORT: is not set"},
		{"an unknown ledger", "TRIMTAB_LEDGER=disk", `TRIMTAB_LEDGER="disk": is no kind of ledger; right would be "table", "memory" or "file:DIR"`},
		{"a file ledger without a folder", "TRIMTAB_LEDGER=file:", "names no directory"},
		{"a table without an address", "TRIMTAB_LEDGER=table", "no table service is named"},
		{"a table name with a dash", "TRIMTAB_TABLE_NAME=trim-tab", "TRIMTAB_TABLE_NAME=\"trim-tab\": is not of the right form"},
		{"policies that are not there", "TRIMTAB_POLICIES=/nowhere/at/all", "is not a directory"},
		{"ARM without TLS", "TRIMTAB_ARM_ENDPOINT=http://127.0.0.1:1", "is no https address"},
		{"a client that is no GUID", "AZURE_CLIENT_ID=me", "a GUID"},
		{"a freeze that is neither", "TRIMTAB_FREEZE=yes", "is neither true nor false"},
		{"a duration without a unit", "TRIMTAB_FACTS_MAX_AGE=300", "is not a duration; right would be a duration from 10s to 1h0m0s, such as 5m0s"},
		{"a deadline that the host's would come before", "TRIMTAB_DEADLINE=5m", "is out of range; right would be a duration from 1s to 4m30s"},
		{"no days", "TRIMTAB_JOURNAL_DAYS=0", "a whole number from 1 to 3650"},
		{"a level that is none", "TRIMTAB_LOG_LEVEL=loud", "debug, info, warn or error"},
		{"a clock of two parts", "TRIMTAB_CLOCK=60,2026-01-05T00:00:00Z TRIMTAB_ARM_ENDPOINT=https://127.0.0.1:9", "has 2 of three parts"},
		{"a clock that stands", "TRIMTAB_CLOCK=0,2026-01-05T00:00:00Z,1 TRIMTAB_ARM_ENDPOINT=https://[::1]:9", "no number from 1 to 100000"},
		{"a fast clock against Azure", "TRIMTAB_CLOCK=60,2026-01-05T00:00:00Z,1", "time may not run fast against a real Azure"},
		{"a misspelt setting", "TRIMTAB_TABLE_CONECTION=x", "TRIMTAB_TABLE_CONECTION: there is no such setting; right would be TRIMTAB_TABLE_CONNECTION, if that was meant"},
		{"a setting like no other", "TRIMTAB_COLOUR_OF_LOGS=red", "TRIMTAB_COLOUR_OF_LOGS: there is no such setting; right would be one that trimtab serve --help lists"},
		{"a setting in small letters", "trimtab_freeze=true", "right would be TRIMTAB_FREEZE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readConfig(least(strings.Fields(tt.settings)...), true)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if n := strings.Count(err.Error(), "\n"); n != 0 {
				t.Errorf("%d problems more than one: %v", n, err)
			}
		})
	}
}

func TestReadConfigNamesEveryProblemAtOnce(t *testing.T) {
	_, err := readConfig([]string{"TRIMTAB_DEADLINE=x", "TRIMTAB_FREEZE=x", "TRIMTAB_NONE=x", "TRIMTAB_TABLE_NAME=x"}, true)
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"TRIMTAB_DEADLINE", "TRIMTAB_FREEZE", "TRIMTAB_NONE", "TRIMTAB_TABLE_NAME", "FUNCTIONS_CUSTOMHANDLER_PORT", "TRIMTAB_TABLE_ENDPOINT"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

// No value that may hold a secret gets out, be the setting right or wrong, known or not.
func TestSecretsAreNeverShown(t *testing.T) {
	const canary = "Y2FuYXJ5"
	key := "AccountName=acct;AccountKey=" + canary
	for _, tt := range []struct {
		name    string
		environ []string
	}{
		{"a connection string", []string{"TRIMTAB_TABLE_CONNECTION=" + key}},
		{"a connection string with a fault", []string{"TRIMTAB_TABLE_CONNECTION=AccountKey=" + canary}},
		{"a connection string that is only a key", []string{"TRIMTAB_TABLE_CONNECTION=" + canary}},
		{"a connection string with an address", []string{"TRIMTAB_TABLE_CONNECTION=" + key + ";TableEndpoint=ftp://" + canary}},
		{"a shared access signature in a connection string", []string{"TRIMTAB_TABLE_CONNECTION=AccountName=acct;SharedAccessSignature=sv=1&sig=" + canary}},
		{"a connection string beside an endpoint", []string{"TRIMTAB_TABLE_CONNECTION=" + key, "TRIMTAB_TABLE_ENDPOINT=https://a.b"}},
		{"the host's storage", []string{"AzureWebJobsStorage=" + key}},
		{"a shared access signature in an endpoint", []string{"TRIMTAB_TABLE_ENDPOINT=https://a.b/?sig=" + canary}},
		{"a password in an endpoint", []string{"TRIMTAB_ARM_ENDPOINT=https://u:" + canary + "@a.b"}},
		{"an address that does not parse", []string{"TRIMTAB_ARM_ENDPOINT=https://u:" + canary + "@a.b:%"}},
		{"a misspelt setting", []string{"TRIMTAB_TABLE_CONECTION=" + key}},
		{"an identity", []string{"IDENTITY_ENDPOINT=http://" + canary, "IDENTITY_HEADER=" + canary}},
		{"settings of others", []string{"MetricsHub=SharedAccessKey=" + canary, "AZURE_CLIENT_SECRET=" + canary}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := readConfig(append(tt.environ, "TRIMTAB_LEDGER=table", "FUNCTIONS_CUSTOMHANDLER_PORT=1"), true)
			var out bytes.Buffer
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", slog.Any("settings", config), slog.Any("error", err))
			if strings.Contains(out.String(), canary) {
				t.Errorf("the secret is in %s", out.String())
			}
			if !strings.Contains(out.String(), "TRIMTAB_DEADLINE") {
				t.Errorf("settings are not shown at all: %s", out.String())
			}
		})
	}
}

func TestTheSampleHoldsEverySetting(t *testing.T) {
	text, err := os.ReadFile("../local.settings.sample.json")
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		IsEncrypted bool
		Values      map[string]string
	}
	if err := json.Unmarshal(text, &sample); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for name, value := range sample.Values {
		environ = append(environ, name+"="+value)
	}
	for _, s := range settings {
		if _, ok := sample.Values[s.name]; !ok && !s.outside {
			t.Errorf("the sample lacks %s", s.name)
		}
	}
	for _, name := range []string{"FUNCTIONS_WORKER_RUNTIME", "MetricsHub", "METRICS_HUB", "METRICS_CONSUMER_GROUP"} {
		if sample.Values[name] == "" {
			t.Errorf("the sample lacks %s, which the host needs", name)
		}
	}
	t.Chdir("..")
	config, err := readConfig(environ, false)
	if err != nil {
		t.Fatalf("the sample is refused: %v", err)
	}
	if !config.Freeze {
		t.Error("the sample changes scale sets")
	}
}

func TestEverySettingIsInTheHelp(t *testing.T) {
	for _, s := range settings {
		if s.about == "" || !strings.Contains(settingsHelp(), "  "+s.name) {
			t.Errorf("%s is not explained", s.name)
		}
	}
	if slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.name, ourPrefix) && s.outside }) {
		t.Error("a setting of ours is marked as the host's")
	}
}

func TestClock(t *testing.T) {
	wall := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	origin := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		clock Clock
		at    time.Time
		want  time.Time
	}{
		{"the zero clock is the wall's", Clock{}, wall, wall},
		{"at its start a clock shows its origin", Clock{1440, origin, wall}, wall, origin},
		{"a minute is a day", Clock{1440, origin, wall}, wall.Add(time.Minute), origin.Add(24 * time.Hour)},
		{"it ran before its start, too", Clock{60, origin, wall}, wall.Add(-time.Second), origin.Add(-time.Minute)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.clock.At(tt.at); !got.Equal(tt.want) || got.Location() != time.UTC {
				t.Errorf("At(%v) = %v, want %v", tt.at, got, tt.want)
			}
			if again, err := parseClock(tt.clock.String()); tt.clock.Virtual() && (err != nil || again != tt.clock) {
				t.Errorf("parseClock(%q) = %v, %v", tt.clock.String(), again, err)
			}
		})
	}
}
