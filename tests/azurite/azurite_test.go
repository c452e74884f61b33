package azurite_test

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"trimtab/tests/azurite"
)

func TestServerAnswersUntilItIsStopped(t *testing.T) {
	s := azurite.Start(t)
	reply, err := http.Get(s.Endpoint + "/Tables")
	if err != nil {
		t.Fatalf("a started server does not answer: %v", err)
	}
	_ = reply.Body.Close()
	// The emulator checks keys as the service does (facts: rig B).
	if reply.StatusCode != http.StatusForbidden {
		t.Errorf("a request without a key: status %d, want %d", reply.StatusCode, http.StatusForbidden)
	}
	other := azurite.Start(t)
	if other.Port == s.Port {
		t.Errorf("two servers share port %d", s.Port)
	}
	s.Stop()
	if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err == nil {
		_ = c.Close()
		t.Error("a stopped server still accepts connections")
	}
}

func TestTheBlobServiceAnswersToo(t *testing.T) {
	s := azurite.StartBlobs(t)
	reply, err := http.Get(s.Endpoint + "?comp=list")
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusForbidden {
		t.Errorf("a request without a key: status %d, want %d", reply.StatusCode, http.StatusForbidden)
	}
}
