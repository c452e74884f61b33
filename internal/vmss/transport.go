package vmss

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// transporter is the last stage before the wire. It follows no redirect: a bearer token would go along (facts: VMSS 1.2).
type transporter struct{ client *http.Client }

func newTransporter(rt http.RoundTripper) transporter {
	return transporter{client: &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends the request. For a write it takes away the means by which net/http would send the body a second time on its
// own, on another connection: one call is one PATCH.
func (t transporter) Do(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.GetBody != nil {
		req = req.Clone(req.Context())
		req.GetBody = nil
	}
	return t.client.Do(req)
}

// defaultTransport is net/http's with limits of its own, and pings, so that a connection that died while the process
// was frozen is found before it costs an invocation.
func defaultTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   10,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// tokenError marks an error as the credential's: without a token nothing was sent.
type tokenError struct{ err error }

func (e tokenError) Error() string { return "no token for Resource Manager" }
func (e tokenError) Unwrap() error { return e.err }

// NonRetriable is how azcore knows that trying again will not help.
func (e tokenError) NonRetriable() {}

// markedCredential marks the errors of a credential.
type markedCredential struct{ inner azcore.TokenCredential }

func (m markedCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := m.inner.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, tokenError{err}
	}
	return t, nil
}
