package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/ledger"
)

// failed is the answer to a transaction that failed, as the emulator writes it and as the service documents it.
func failed(status, code, message string) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`--batchresponse_deca0163-96b9-4af4-6e03-bc4d7c77ec45
Content-Type: multipart/mixed; boundary=changesetresponse_8865967b-f295-4b5d-7b41-e8719608d5dc

--changesetresponse_8865967b-f295-4b5d-7b41-e8719608d5dc
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 %s
Content-ID: 1
DataServiceVersion: 3.0;
Content-Type: application/json;odata=minimalmetadata;charset=utf-8

{"odata.error":{"code":"%s","message":{"lang":"en-US","value":"%s\nRequestId:314a2dae\nTime:2025-11-23T11:04:29.003Z"}}}
--changesetresponse_8865967b-f295-4b5d-7b41-e8719608d5dc--
--batchresponse_deca0163-96b9-4af4-6e03-bc4d7c77ec45--
`, status, code, message), "\n", "\r\n"))
}

func TestWhatHappenedToATransactionStandsInItsBody(t *testing.T) {
	plain := func(code string) []byte {
		return fmt.Appendf(nil, `{"odata.error":{"code":%q,"message":{"lang":"en-US","value":"It failed.\nRequestId:1"}}}`, code)
	}
	const conflict = true
	for _, c := range []struct {
		name   string
		status int
		body   []byte
		want   ledger.Failure
	}{
		{
			"a stale ETag", 202, failed("412 Precondition Failed", "UpdateConditionNotSatisfied", "2:The update condition was not satisfied."),
			ledger.Failure{412, "UpdateConditionNotSatisfied", 2, "The update condition was not satisfied.", conflict},
		},
		{
			"a row that is there", 202, failed("409 Conflict", "EntityAlreadyExists", "0:The specified entity already exists."),
			ledger.Failure{409, "EntityAlreadyExists", 0, "The specified entity already exists.", conflict},
		},
		{
			"a row that is not there", 202, failed("404 Not Found", "ResourceNotFound", "99:The specified resource does not exist."),
			ledger.Failure{404, "ResourceNotFound", 99, "The specified resource does not exist.", conflict},
		},
		{
			"a table that is not there", 202, failed("404 Not Found", "TableNotFound", "0:The table does not exist."),
			ledger.Failure{404, "TableNotFound", 0, "The table does not exist.", !conflict},
		},
		{
			"a table that is being deleted", 409, plain("TableBeingDeleted"),
			ledger.Failure{409, "TableBeingDeleted", -1, "It failed.", !conflict},
		},
		{
			"an entity too large", 202, failed("400 Bad Request", "EntityTooLarge", "1:The entity is too large."),
			ledger.Failure{400, "EntityTooLarge", 1, "The entity is too large.", !conflict},
		},
		{"a plain answer", 503, plain("ServerBusy"), ledger.Failure{503, "ServerBusy", -1, "It failed.", !conflict}},
		{"a failure of the whole batch", 202, plain("InvalidInput"), ledger.Failure{202, "InvalidInput", -1, "It failed.", !conflict}},
		{"a message without an index", 202, failed("412 No", "ConditionNotMet", "No: not so."), ledger.Failure{412, "ConditionNotMet", -1, "No: not so.", conflict}},
		{"an answer in XML", 202, []byte("--b\r\n\r\nHTTP/1.1 409 Conflict\r\n\r\n<error/>"), ledger.Failure{409, "", -1, "", conflict}},
		{"an empty body", 202, nil, ledger.Failure{202, "", -1, "", !conflict}},
		{"a torn body", 202, failed("412 Precondition Failed", "UpdateConditionNotSatisfied", "0:No.")[:400], ledger.Failure{412, "", -1, "", conflict}},
		{"an HTML page of a proxy", 502, []byte("<html>HTTP/1.1 412</html>"), ledger.Failure{502, "", -1, "", !conflict}},
	} {
		if got := ledger.ParseFailure(c.status, c.body); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzAnAnswerIsReadWhateverItIs(f *testing.F) {
	f.Add(202, failed("412 Precondition Failed", "UpdateConditionNotSatisfied", "2:No."))
	f.Add(202, []byte("\nHTTP/1.1 9"))
	f.Add(202, []byte("\nHTTP/1.1 -12"))
	f.Add(503, []byte(`{"odata.error":{"code":"A","message":{"value":"-1:x"}}}`))
	f.Add(0, []byte(`{"odata.error":{"code":`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got := ledger.ParseFailure(status, body)
		if got.Action < -1 || got.Action >= 100 {
			t.Errorf("action %d", got.Action)
		}
		if status != 202 && got.Status != status {
			t.Errorf("status %d became %d", status, got.Status)
		}
		if strings.Contains(got.Message, "\n") || len(got.Message) > 256 {
			t.Errorf("message %q", got.Message)
		}
	})
}
