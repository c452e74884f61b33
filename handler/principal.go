package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// principal hands on the tokens of a credential and learns from them as whom this program writes, so that records of its own
// writes are known whatever kind of identity it has. Nothing is granted or refused by what is learnt, so no signature is
// checked; no part of a token is kept.
type principal struct {
	azcore.TokenCredential
	// told is the client ID that the settings name, empty if they name none.
	told  string
	known atomic.Pointer[[]string]
}

// GetToken is the credential's.
func (p *principal) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := p.TokenCredential.GetToken(ctx, o)
	if err == nil {
		if ids := bearer(token.Token); len(ids) > 0 {
			p.known.Store(&ids)
		}
	}
	return token, err
}

// self are the IDs under which this program writes: its application's, and its principal's once there was a token.
func (p *principal) self() []string {
	var ids []string
	if p.told != "" {
		ids = append(ids, p.told)
	}
	if learnt := p.known.Load(); learnt != nil {
		ids = append(ids, *learnt...)
	}
	return ids
}

// bearer are the IDs of the application that a token speaks for. A person's token says nothing: what the person writes with
// the same tool would look like this program's own.
func bearer(token string) (ids []string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var claims struct {
		AppID  string `json:"appid"` // of tokens of version 1, as Resource Manager's are
		AZP    string `json:"azp"`   // of version 2
		OID    string `json:"oid"`
		Kind   string `json:"idtyp"`
		Scopes string `json:"scp"` // delegated by a person
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Scopes != "" || strings.EqualFold(claims.Kind, "user") {
		return nil
	}
	for _, id := range []string{claims.AppID, claims.AZP, claims.OID} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}
