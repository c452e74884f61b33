package supply_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"

	"trimtab/internal/supply"
)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// keyPair is a fresh pair for an algorithm, as PEM.
func keyPair(t *testing.T, algorithm string) (private, public string) {
	t.Helper()
	if algorithm == "RS256" {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		return pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil), pemOf(t, "PUBLIC KEY", der, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := x509.MarshalECPrivateKey(key)
	private = pemOf(t, "EC PRIVATE KEY", own, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return private, pemOf(t, "PUBLIC KEY", der, err)
}

// signedWith is the bundle of the team's pool, signed with a private key.
func signedWith(t *testing.T, private, algorithm string) []byte {
	t.Helper()
	b, err := bundle.NewReader(bytes.NewReader(tarball(t, "1", pool("shop", 2), false, "pools/shop"))).Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(private, algorithm, ""), "teams", false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBundlesAreSignedWithPrivateKeys(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			private, public := keyPair(t, algorithm)
			foreign, _ := keyPair(t, algorithm)
			s := newServer(t)
			keys, err := json.Marshal(map[string]any{"teams": map[string]string{"algorithm": algorithm, "key": public}})
			if err != nil {
				t.Fatal(err)
			}
			c := config(t, fmt.Sprintf(`{"services": {"here": {"url": %q}}, "keys": %s,
				"bundles": {"shop": {"service": "here", "resource": "bundles/shop.tar.gz", "polling": %s, "signing": {"keyid": "teams"}}}}`, s.URL, keys, soon))
			var refused []error
			shelf := supply.NewShelf(func(n supply.News) {
				if n.Problem != nil {
					refused = append(refused, n.Problem)
				}
			})
			one := services(t, shelf, c)
			s.put("/bundles/shop.tar.gz", signedWith(t, foreign, algorithm))
			if err := one.Fetch(t.Context()); err == nil || len(refused) != 1 || !strings.Contains(refused[0].Error(), "verify") {
				t.Errorf("a bundle signed by somebody else: %v, %v", err, refused)
			}
			s.put("/bundles/shop.tar.gz", signedWith(t, private, algorithm))
			if err := one.Fetch(t.Context()); err != nil || len(poolNames(shelf)) != 1 {
				t.Errorf("pools %v, %v", poolNames(shelf), err)
			}
		})
	}
}

// guarded lets through who shows a token.
func guarded(s *server, token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	}
}

func TestServicesThatAskForCredentials(t *testing.T) {
	const token = "a token of an hour"
	for name, tc := range map[string]struct {
		// credentials are those of the configuration, given the address of who gives tokens; asked checks what is asked of it.
		credentials string
		asked       func(r *http.Request) bool
		answer      string
	}{
		"OAuth2 client credentials": {
			`"oauth2": {"grant_type": "client_credentials", "token_url": "%s/token", "client_id": "trimtab", "client_secret": "hush", "scopes": ["policies"]}`,
			func(r *http.Request) bool {
				id, hush, _ := r.BasicAuth()
				return r.PostFormValue("grant_type") == "client_credentials" && r.PostFormValue("scope") == "policies" &&
					(id == "trimtab" && hush == "hush" || r.PostFormValue("client_secret") == "hush")
			},
			`{"access_token": "` + token + `", "token_type": "Bearer", "expires_in": 3600}`,
		},
		"a managed identity of a machine": {
			`"azure_managed_identity": {"endpoint": "%s/metadata/identity/oauth2/token", "client_id": "0b1f6471", "resource": "https://storage.azure.com/"}`,
			func(r *http.Request) bool {
				return r.Header.Get("Metadata") == "true" && r.URL.Query().Get("resource") == "https://storage.azure.com/" && r.URL.Query().Get("client_id") == "0b1f6471"
			},
			`{"access_token": "` + token + `", "expires_in": "3600", "token_type": "Bearer"}`,
		},
		"a managed identity of a function app": {
			`"azure_managed_identity": {"endpoint": "%s/msi/token", "use_app_service_msi": true}`,
			func(r *http.Request) bool { return r.Header.Get("x-identity-header") == "of the app" },
			`{"access_token": "` + token + `", "expires_on": "1900000000", "token_type": "Bearer"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("IDENTITY_HEADER", "of the app")
			bundles := newServer(t)
			bundles.put("/bundles/shop.tar.gz", tarball(t, "1", pool("shop", 2), true, "pools/shop"))
			given := 0
			both := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/bundles/") {
					guarded(bundles, token)(w, r)
					return
				}
				if given++; !tc.asked(r) {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(tc.answer))
			}))
			t.Cleanup(both.Close)
			authority := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: both.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			tokens := both.URL
			if strings.Contains(tc.credentials, "managed") {
				// The platform gives them on an address of the machine, without TLS.
				plain := httptest.NewServer(both.Config.Handler)
				t.Cleanup(plain.Close)
				tokens = plain.URL
			}
			signed := `"signing": {"keyid": "teams"}`
			text := func(credentials string) string {
				return fmt.Sprintf(`{"services": {"here": {"url": %q, "tls": {"ca_cert": %q}%s}}, "keys": {"teams": {"algorithm": "HS256", "key": %q}},
					"bundles": {"shop": {"service": "here", "resource": "bundles/shop.tar.gz", "polling": %s, %s}}}`, both.URL, authority, credentials, secret, soon, signed)
			}
			shelf := supply.NewShelf(func(supply.News) {})
			if err := services(t, shelf, config(t, text(""))).Fetch(t.Context()); err == nil {
				t.Error("a service that asks for a token gave its bundle without one")
			}
			with := services(t, shelf, config(t, text(`, "credentials": {`+fmt.Sprintf(tc.credentials, tokens)+`}`)))
			if err := with.Fetch(t.Context()); err != nil || given == 0 || len(poolNames(shelf)) != 1 {
				t.Errorf("%d tokens asked for, pools %v, %v", given, poolNames(shelf), err)
			}
		})
	}
}
