package main

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"
)

// issuer is a credential that hands out a token, or an error where it has none.
type issuer struct{ token string }

func (i issuer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if i.token == "" {
		return azcore.AccessToken{}, errors.New("no token")
	}
	return azcore.AccessToken{Token: i.token}, nil
}

func TestTheProgramLearnsFromItsTokensAsWhomItWrites(t *testing.T) {
	jwt := func(claims string) string {
		return "eyJ0eXAiOiJKV1QifQ." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl"
	}
	for _, c := range []struct {
		name, told, token string
		want              []string
	}{
		{"a system-assigned identity", "", jwt(`{"aud":"https://management.azure.com","appid":"a1","oid":"o1","idtyp":"app"}`), []string{"a1", "o1"}},
		{"a token of version 2", "", jwt(`{"azp":"a2","oid":"o2"}`), []string{"a2", "o2"}},
		{"a user-assigned identity", "c1", jwt(`{"appid":"c1","oid":"o3"}`), []string{"c1", "c1", "o3"}},
		{"a person's", "", jwt(`{"appid":"cli","oid":"me","idtyp":"user"}`), nil},
		{"one that a person delegated", "", jwt(`{"appid":"cli","oid":"me","scp":"user_impersonation"}`), nil},
		{"no JWT", "", "opaque", nil},
		{"claims that are none", "c1", jwt(`[1]`), []string{"c1"}},
		{"another alphabet", "", "a.+/+/.c", nil},
		{"no token", "c1", "", []string{"c1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := &principal{TokenCredential: issuer{c.token}, told: c.told}
			token, err := who.GetToken(t.Context(), policy.TokenRequestOptions{})
			if token.Token != c.token || (err == nil) != (c.token != "") {
				t.Errorf("the token became %q, %v", token.Token, err)
			}
			if diff := cmp.Diff(c.want, who.self()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
