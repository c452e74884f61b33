package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Storage says where the ledger keeps its rows.
type Storage struct {
	// Kind is one of the kinds below.
	Kind StorageKind
	// Dir is where a file ledger lies.
	Dir string
	// Endpoint is a table service reached by identity; Connection one reached by its own key. One of them is set.
	Endpoint   string
	Connection string
	Table      string
}

// StorageKind names a kind of ledger.
type StorageKind string

// The kinds of ledger.
const (
	// InTable keeps rows in Table storage: the only kind for more than one process.
	InTable StorageKind = "table"
	// InMemory forgets everything at exit.
	InMemory StorageKind = "memory"
	// InFile keeps rows in a directory, for one process on one machine.
	InFile StorageKind = "file"
)

// emulated is the account of the storage emulator, which speaks plain http, maybe in a container of its own.
const emulated = "devstoreaccount1"

// storage reads where the ledger lies: our own settings first, else the table service of the host's storage.
func (r *reader) storage() Storage {
	s := Storage{Table: r.matching(setTableName, "trimtab", tableName, "3 to 63 letters and digits, a letter first")}
	switch value := r.text(setLedger, string(InTable)); {
	case value == string(InMemory):
		s.Kind = InMemory
	case strings.HasPrefix(value, "file:"):
		s.Kind, s.Dir = InFile, strings.TrimPrefix(value, "file:")
		if s.Dir == "" {
			r.refuse(setLedger, "names no directory", "file:DIR")
		}
	case value == string(InTable):
		s.Kind = InTable
		s.Endpoint, s.Connection = r.tableService()
	default:
		r.refuse(setLedger, "is no kind of ledger", `"table", "memory" or "file:DIR"`)
	}
	return s
}

// tableService finds the table service: an endpoint for identity, or a connection string.
func (r *reader) tableService() (endpoint, connection string) {
	switch {
	case r.env[setTableURL] != "" && r.env[setTableString] != "":
		r.problems = append(r.problems, fmt.Errorf("%s and %s: both are set; right would be one of them", setTableURL, setTableString))
	case r.env[setTableURL] != "":
		return r.httpsURL(setTableURL, ""), ""
	case r.env[setTableString] != "":
		return "", r.connection(setTableString, "TableEndpoint")
	case r.env[setStorageURL] != "":
		return r.httpsURL(setStorageURL, ""), ""
	case r.env[setStorageName] != "":
		return "https://" + r.matching(setStorageName, "", accountName, "3 to 24 lower-case letters and digits") + ".table.core.windows.net", ""
	case r.env[setStorage] != "":
		return "", r.connection(setStorage, "TableEndpoint")
	default:
		r.refuse(setTableURL, "no table service is named, neither here nor by "+setStorage,
			"https://ACCOUNT.table.core.windows.net, or "+setTableString+", or "+setLedger+"=memory")
	}
	return "", ""
}

// connection reads a storage connection string for one service, which is named as the string names its endpoint, and shows
// no more of it than the account's name.
func (r *reader) connection(name, service string) string {
	account, err := checkConnection(r.env[name], service)
	if err != nil {
		r.refuse(name, err.Error(), "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net, or UseDevelopmentStorage=true")
		return ""
	}
	r.show(name, "account "+account+", key not shown")
	return r.env[name]
}

// checkConnection checks a storage connection string and names its account. No other part of it gets out, not even into
// the error.
func checkConnection(text, service string) (account string, err error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.Trim(text, "; "), ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return "", errors.New("a part has no equals sign")
		}
		parts[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if strings.EqualFold(parts["UseDevelopmentStorage"], "true") {
		return "of the storage emulator", nil
	}
	if !accountName.MatchString(parts["AccountName"]) {
		return "", errors.New("names no account")
	}
	if _, err := base64.StdEncoding.DecodeString(parts["AccountKey"]); err != nil || parts["AccountKey"] == "" {
		// aztables would take a shared access signature, but sends it to the public cloud whatever the string says.
		return "", errors.New("holds no account key in base64")
	}
	if endpoint := parts[service]; endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "https" && !isLoopback(u.Hostname()) && parts["AccountName"] != emulated) {
			return "", errors.New("its " + service + " is no https address")
		}
	} else if parts["DefaultEndpointsProtocol"] == "http" {
		return "", errors.New("asks for plain http")
	}
	return parts["AccountName"], nil
}
