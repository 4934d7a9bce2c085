import io
import json

import pytest
from examples import a_contact

from contactsdk import (
    Contact,
    EmailStatus,
    ExternalUrl,
    InvalidContactError,
    RejectedError,
    SmsStatus,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import Outcome
from contactsdk.files import (
    CsvInput,
    FileError,
    Format,
    JsonLinesInput,
    Outputs,
    Result,
    ResultsWriter,
    RowsWriter,
    State,
    format_of,
    not_started,
    open_input,
    open_outputs,
    result_of,
    standard_input,
)

NAMES = "first_name,last_name,email"
ADA = "Ada,Archer,ada@example.com"


def csv_input(text, ignored=()):
    data = text if isinstance(text, bytes) else text.encode()
    return CsvInput(io.BytesIO(data), "x.csv", ignored)


def jsonl_input(text, ignored=()):
    data = text if isinstance(text, bytes) else text.encode()
    return JsonLinesInput(io.BytesIO(data), "x.jsonl", ignored)


def items(source):
    return [source.item(row) for row in source]


def lines(source):
    return [row.line for row in source]


def errors(item):
    assert isinstance(item, InvalidContactError)
    return dict(item.errors)


def written_back(source, message="why"):
    return source.head() + "".join(source.with_message(row, message) for row in source)


def one_cell(column, cell):
    """The item of a row to update with this one further cell."""
    [item] = items(csv_input(f'id,"{column}"\n7,"{cell}"\n'))
    return item


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("externalId", "x-1", "external_id", "x-1"),
        ("PHONE", " 1 ", "phone", " 1 "),
        (" phone ", "1", "phone", "1"),
        ("External ID", "x-1", "external_id", "x-1"),
        ("SMS Status", "4", "sms_status", SmsStatus.NO_MARKETING),
        ("groups", "10;11", "groups", (10, 11)),
        ("groups", "10", "groups", (10,)),
        ("companies", " 4 ; 5 ", "companies", (4, 5)),
        ("status", "5", "status", EmailStatus.NO_MARKETING),
        ("status", "No Marketing", "status", EmailStatus.NO_MARKETING),
        ("Status", "no_marketing", "status", EmailStatus.NO_MARKETING),
        ("smsStatus", "FAILED", "sms_status", SmsStatus.FAILED),
        ("sms_status", "4", "sms_status", SmsStatus.NO_MARKETING),
        ("updateIfExists", "TRUE", "update_if_exists", True),
        ("update_if_exists", "yes", "update_if_exists", True),
        ("update_if_exists", "1", "update_if_exists", True),
        ("privacyConsent", "false", "privacy_consent", False),
        ("privacyconsent", "No", "privacy_consent", False),
        ("privacy_consent", "0", "privacy_consent", False),
        (
            "externalUrls.CRM",
            "https://example.com/7",
            "external_urls",
            (ExternalUrl(ref="CRM", url="https://example.com/7"),),
        ),
    ],
)
def test_cell_becomes_the_value_of_its_field(column, cell, field, value):
    assert one_cell(column, cell) == Contact(**{"id": 7, field: value})


@pytest.mark.parametrize(
    "column", ["customFields.33443", "custom_fields.33443", "Custom Fields.33443"]
)
def test_custom_field_goes_out_as_a_string(column):
    [field] = one_cell(column.upper(), "12").custom_fields
    assert (field.field_id, field.value) == (33443, "12")


@pytest.mark.parametrize("cell", ["", "  "])
@pytest.mark.parametrize(
    "column", ["phone", "groups", "status", "updateIfExists", "customFields.1", "externalUrls.a"]
)
def test_empty_cell_is_not_sent(column, cell):
    assert one_cell(column, cell) == Contact(id=7)


@pytest.mark.parametrize(
    ("column", "cell", "path"),
    [
        ("groups", "10;x", ("groups", 1)),
        ("groups", "10;", ("groups", 1)),
        ("companies", "-4", ("companies", 0)),
        ("companies", "٤", ("companies", 0)),
        ("status", "Foo", ("status",)),
        ("status", "6", ("status",)),
        ("smsStatus", "Bounced", ("sms_status",)),
        ("updateIfExists", "maybe", ("update_if_exists",)),
        ("externalUrls.a", "http://example.com", ("external_urls", 0, "url")),
    ],
)
def test_cell_that_cannot_be_read_is_its_rows_failure(column, cell, path):
    assert list(errors(one_cell(column, cell))) == [path]


def test_all_that_is_wrong_with_a_row_is_told_at_once():
    [item] = items(csv_input("firstName;status;groups;phone\nAda;Foo;1;2;beyond\n"))
    assert list(errors(item)) == [("last_name",), ("email",), ("status",), ()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_spreadsheets_conventions_are_found_out(delimiter, mark, end):
    text = f"{NAMES}{end}{ADA}{end}".replace(",", delimiter)
    assert items(csv_input(mark + text.encode())) == [a_contact()]


def test_delimiter_within_quotes_does_not_count():
    source = csv_input('id,"externalUrls.a;b;c",phone\n7,https://example.com,1\n')
    [contact] = items(source)
    assert [link.ref for link in contact.external_urls] == ["a;b;c"]


def test_one_column_needs_no_delimiter():
    assert items(csv_input("id\n7\n8")) == [Contact(id=7), Contact(id=8)]


def test_line_is_where_the_row_starts():
    text = f'\n{NAMES}\n\n"A\nd\r\na",B,a@example.com\n{ADA}\n,,\n \n{ADA}'
    source = csv_input(text)
    rows = list(source)
    assert [row.line for row in rows] == [4, 7, 10]
    assert rows[0].cells[0] == "A\nd\r\na"


def test_missing_cells_are_empty():
    assert items(csv_input(f"{NAMES},phone,status\n{ADA}\n")) == [a_contact()]


def test_cell_past_the_columns_is_its_rows_failure():
    good, bad = items(csv_input(f"{NAMES}\n{ADA},,\n{ADA},,x\n"))
    assert good == a_contact()
    assert errors(bad) == {(): "cell 5 belongs to no column"}


def test_cell_under_a_nameless_column_is_its_rows_failure():
    good, bad = items(csv_input(f"{NAMES},,\n{ADA},,\n{ADA},x,\n"))
    assert good == a_contact()
    assert errors(bad) == {(): "cell 4 belongs to no column"}


@pytest.mark.parametrize(
    ("column", "nearest"),
    [
        ("fristName", "first_name"),
        ("E-Mail", "email"),
        ("first_name.1", "first_name"),
        ("customFields", "custom_fields.<field id>"),
        ("customFields.abc", "custom_fields.<field id>"),
        ("customFields.0", "custom_fields.<field id>"),
        ("custmFields.33443", "custom_fields.33443"),
        ("externalUrls", "external_urls.<ref>"),
        ("externalUrl.crm", "external_urls.crm"),
    ],
)
def test_unknown_column_is_named_with_the_nearest_known_one(column, nearest):
    with pytest.raises(FileError) as caught:
        csv_input(f"\n{column},id\n")
    assert str(caught.value) == (
        f"x.csv, line 2: unknown column '{column}' (the nearest known one is {nearest}); "
        "to let a column pass, use --ignore-columns"
    )


def test_all_unknown_columns_are_named():
    with pytest.raises(FileError, match=r"'one'.*'two'"):
        csv_input("one,id,two\n")


@pytest.mark.parametrize(
    ("header", "twice"),
    [
        ("firstName,first_name", "first_name"),
        ("email,EMAIL", "EMAIL"),
        ("firstName,First Name", "First Name"),
        ("customFields.1,custom_fields.1", "custom_fields.1"),
    ],
)
def test_column_that_is_there_twice_is_an_error(header, twice):
    with pytest.raises(FileError, match=f"line 1: column '{twice}' is there twice"):
        csv_input(header)


@pytest.mark.parametrize("column", ["message", "Message", "Notes", "customFields.x"])
def test_ignored_column_is_let_pass(column):
    source = csv_input(f"{column},{NAMES}\nanything,{ADA}\n", ["notes", "CustomFields.X"])
    assert items(source) == [a_contact()]


@pytest.mark.parametrize("text", ["", "\n\n", " \n;;\n", "\ufeff"])
def test_no_header_is_an_error(text):
    with pytest.raises(FileError, match=r"x\.csv, line 1: there is no header row"):
        csv_input(text)


def test_header_that_is_not_text_is_an_error():
    with pytest.raises(FileError, match="line 1: the header is not UTF-8 text: save "):
        csv_input(b"first_name,\xff\n")


def test_unclosed_quote_in_the_header_is_an_error():
    with pytest.raises(FileError, match=r"line 1: .* quotes"):
        csv_input('"first_name,email\nAda')


def test_unclosed_quote_names_the_line_it_starts_in():
    source = csv_input(f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com\n{ADA}\n')
    with pytest.raises(FileError, match=r"x\.csv, line 3: .* quotes"):
        list(source)


def test_text_after_a_closed_quote_is_an_error():
    with pytest.raises(FileError, match="line 2"):
        list(csv_input(f'{NAMES}\n"Ada"x,Archer,ada@example.com\n'))


def test_bytes_that_are_not_text_are_their_rows_failure():
    source = csv_input(f"{NAMES}\nAd\xe4,Archer,ada@example.com\n{ADA}\n".encode("latin-1"))
    bad, good = items(source)
    assert errors(bad) == {("first_name",): "is not UTF-8 text: save the file as CSV UTF-8"}
    assert good == a_contact()


def test_csv_is_read_as_it_is_asked_for():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            part = (f"{ADA}\n" if self.headed else f"{NAMES}\n").encode()
            self.headed = True
            buffer[: len(part)] = part
            return len(part)

        headed = False

    source = CsvInput(io.BufferedReader(Endless(), 64), "x.csv")
    assert source.item(next(iter(source))) == a_contact()


def test_json_lines_are_read_in_either_spelling():
    text = (
        '\ufeff{"firstName": "Ada", "LAST_NAME": "Archer", "email": "ada@example.com"}\r\n'
        ' \n{"id": 7, "groups": [], "customFields": {"1": [2]}, "externalUrls": null}'
    )
    source = jsonl_input(text)
    rows = list(source)
    assert [row.line for row in rows] == [1, 3]
    assert [source.item(row) for row in rows] == [
        a_contact(),
        Contact(id=7, groups=[], custom_fields={1: [2]}, external_urls=[]),
    ]


@pytest.mark.parametrize(
    ("line", "path", "what"),
    [
        ("{", (), "the line is not JSON (see column 2)"),
        ("[1]", (), "must be a JSON object"),
        ('{"id": 7, "fone": "1"}', ("fone",), "is not a field of a contact"),
        ('{"id": "7"}', ("id",), "must be a positive integer"),
        ('{"id": 99999999999999999999}', ("id",), "must be a positive integer"),
        ('{"id": 7, "phone": "\\ud800"}', ("phone",), "must not hold lone surrogates"),
        (b'{"id": 7, "phone": "\xff"}', (), "the line is not UTF-8 text: save the file as UTF-8"),
        ('{"id": 7, "customFields": {"1": NaN}}', ("custom_fields", 0, "value"), "must be a "),
        ("[" * 100_000, (), "the line is JSON beyond what can be read"),
        ('{"id": ' + "9" * 5000 + "}", (), "the line is JSON beyond what can be read"),
    ],
)
def test_json_line_that_makes_no_contact_is_its_rows_failure(line, path, what):
    [item] = items(jsonl_input(line))
    assert list(errors(item)) == [path]
    assert errors(item)[path].startswith(what)


def test_integer_past_64_bits_is_not_sent_as_something_else():
    [item] = items(jsonl_input('{"id": 7, "customFields": {"1": 123456789012345678901234567890}}'))
    assert errors(item) == {("custom_fields", 0, "value"): "must fit in 64 bits"}


def test_ignored_keys_are_let_pass():
    [item] = items(jsonl_input('{"id": 7, "Message": "x", "NOTES": "y"}', ["notes"]))
    assert item == Contact(id=7)


def test_csv_rows_are_written_back_with_a_message():
    text = f'{NAMES}\r\n"A ""d""\na",B;C,x\r\nAda,Archer\r\n'
    back = written_back(csv_input(text.replace(",", "\t")))
    expected = f'{NAMES},message\r\n"A ""d""\na",B;C,x,why\r\nAda,Archer,,why\r\n'
    assert back == expected.replace(",", "\t")


def test_byte_order_mark_is_written_back():
    assert written_back(csv_input("\ufeffid\n7\n")) == "\ufeffid,message\r\n7,why\r\n"


def test_message_of_before_is_replaced():
    back = written_back(csv_input("id,Message,phone\n7,old,1\n8\n"))
    assert back == "id,Message,phone\r\n7,why,1\r\n8,why,\r\n"


def test_message_comes_under_its_own_column():
    assert written_back(csv_input("id\n7,,x\n")) == "id,message\r\n7,why,,x\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"firstName;lastName;email\nAda;;ada@example.com\n;;x\n",
        b'id\tphone\n7\t"1\r2\n3"\n8\t "x"\n9\t\xff\xfe\n',
        b"\xef\xbb\xbfid,groups,,\n7,1;2,,x\n8,1,2,3,4,5\n",
    ],
)
def test_rejects_make_the_same_items_when_they_are_imported_again(text, tmp_path):
    source = csv_input(text)
    rows = list(source)
    rejects = tmp_path / "rejects.csv"
    with open_outputs(source, "-", rejects=str(rejects)) as outputs:
        for row in rows:
            outputs.write(row, not_started(row.line))
    with open_input(str(rejects), Format.CSV) as again:
        kept = [again.item(row) for row in again]
    before = [source.item(row) for row in rows]
    assert [type(item) for item in kept] == [type(item) for item in before]
    assert [i for i in kept if isinstance(i, Contact)] == [
        i for i in before if isinstance(i, Contact)
    ]


def test_odd_bytes_are_written_back_as_they_were(tmp_path):
    source = csv_input(b"id,phone\n7,\xff\xfe\n")
    rejects = tmp_path / "rejects.csv"
    with open_outputs(source, "-", rejects=str(rejects)) as outputs:
        for row in source:
            outputs.write(row, not_started(row.line))
    assert b"\n7,\xff\xfe,not sent" in rejects.read_bytes()


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ('{"id": 7, "phone": "ü"}', '{"id": 7, "phone": "ü", "message": "why"}'),
        ('{"message": "old", "id": 7}', '{"id": 7, "message": "why"}'),
        ("{}", '{"message": "why"}'),
        ("[1]", '{"line": "[1]", "message": "why"}'),
        ("{", '{"line": "{", "message": "why"}'),
        ('{"id": 1e999}', '{"line": "{\\"id\\": 1e999}", "message": "why"}'),
        ('{"phone": "\\ud800"}', '{"phone": "\\ud800", "message": "why"}'),
        (b'{"phone": "\xff"}', '{"phone": "\\udcff", "message": "why"}'),
    ],
)
def test_json_line_is_written_back_with_a_message(line, back):
    assert written_back(jsonl_input(line)) == back + "\n"


def test_nesting_that_cannot_be_read_is_written_back_as_text():
    deep = "[" * 100_000
    assert json.loads(written_back(jsonl_input(deep))) == {"line": deep, "message": "why"}


def outcome(error=None, *, id=None, attempts=1):
    return Outcome(index=0, contact=None, id=id, error=error, attempts=attempts, elapsed_s=0.0)


@pytest.mark.parametrize(
    ("came", "state", "message", "refused"),
    [
        (outcome(id=33884), State.SUCCEEDED, "", False),
        (outcome(RejectedError("no\r\n such  group")), State.FAILED, "no such group", True),
        (outcome(InvalidContactError([((), "x")]), attempts=0), State.FAILED, "x", True),
        (outcome(UncertainError("lost")), State.UNCERTAIN, "lost", False),
        (outcome(UnavailableError("declined")), State.FAILED, "declined", False),
        (outcome(UnavailableError("never"), attempts=0), State.NOT_STARTED, "never", False),
    ],
)
def test_result_tells_what_became_of_a_row(came, state, message, refused):
    assert result_of(4, came) == Result(
        line=4,
        id=came.id,
        state=state,
        message=message,
        attempts=came.attempts,
        refused=refused,
    )


RESULTS = [
    Result(line=2, id=7, state=State.SUCCEEDED, attempts=1),
    Result(line=3, state=State.FAILED, message='a "b", c', attempts=2),
    Result(line=4, state=State.NOT_STARTED, message="ü"),
]


def test_results_are_csv():
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.CSV)
    for result in RESULTS:
        writer.write(result)
    assert stream.getvalue() == (
        "line,id,state,message,attempts\n"
        "2,7,succeeded,,1\n"
        '3,,failed,"a ""b"", c",2\n'
        "4,,not_started,ü,0\n"
    )


def test_results_are_json_lines():
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.JSONL)
    for result in RESULTS:
        writer.write(result)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"line": 2, "id": 7, "state": "succeeded", "message": "", "attempts": 1},
        {"line": 3, "id": None, "state": "failed", "message": 'a "b", c', "attempts": 2},
        {"line": 4, "id": None, "state": "not_started", "message": "ü", "attempts": 0},
    ]


def test_each_row_goes_to_the_files_of_its_state():
    source = csv_input("id\n1\n2\n3\n4\n")
    results, rejects, uncertain = io.StringIO(), io.StringIO(), io.StringIO()
    outputs = Outputs(
        results=ResultsWriter(results, Format.CSV),
        rejects=RowsWriter(rejects, source),
        uncertain=RowsWriter(uncertain, source),
    )
    for row, state in zip(source, State, strict=True):
        outputs.write(row, Result(line=row.line, state=state, message=state))
    assert len(results.getvalue().splitlines()) == 5
    assert rejects.getvalue().split() == ["id,message", "2,failed", "4,not_started"]
    assert uncertain.getvalue().split() == ["id,message", "3,uncertain"]


def test_rejects_of_a_run_that_can_go_on_hold_only_what_it_leaves_out():
    source = csv_input("id\n1\n2\n3\n4\n5\n6\n")
    outcomes = [
        outcome(id=7),
        outcome(RejectedError("refused")),
        outcome(InvalidContactError([((), "invalid")]), attempts=0),
        outcome(UncertainError("uncertain")),
        outcome(UnavailableError("declined"), attempts=5),
        outcome(UnavailableError("unsent"), attempts=0),
    ]
    rejects, uncertain = io.StringIO(), io.StringIO()
    outputs = Outputs(
        results=None,
        rejects=RowsWriter(rejects, source),
        uncertain=RowsWriter(uncertain, source),
        resumable=True,
    )
    for row, came in zip(source, outcomes, strict=True):
        outputs.write(row, result_of(row.line, came))
    assert rejects.getvalue().split() == ["id,message", "2,refused", "3,invalid"]
    assert uncertain.getvalue().split() == ["id,message", "4,uncertain"]


def test_what_was_not_asked_for_is_not_written():
    source = csv_input("id\n1\n2\n3\n4\n")
    with open_outputs(source, "-") as outputs:
        assert outputs == Outputs(results=None, rejects=None, uncertain=None)
        for row, state in zip(source, State, strict=True):
            outputs.write(row, Result(line=row.line, state=state))


def test_name_of_the_results_tells_their_format(tmp_path):
    path = tmp_path / "results.JSONL"
    with open_outputs(csv_input("id\n"), "-", results=str(path)) as outputs:
        outputs.results.write(RESULTS[0])
    assert json.loads(path.read_text())["id"] == 7


def test_results_go_to_standard_output_as_utf8(capfdbinary):
    with open_outputs(csv_input("id\n"), "-", results="-") as outputs:
        outputs.results.write(RESULTS[2])
    print("after")
    assert capfdbinary.readouterr().out.endswith("ü,0\nafter\n".encode())


def test_no_output_may_overwrite_the_input_or_another(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id\n7\n")
    other = tmp_path / "b.csv"
    with open_input(str(path), Format.CSV) as source:
        for names in (
            {"rejects": str(tmp_path / ".." / tmp_path.name / "a.csv")},
            {"results": str(other), "uncertain": str(other)},
            {"results": "-", "rejects": "-"},
        ):
            with (
                pytest.raises(FileError, match="must be different files"),
                open_outputs(source, str(path), **names),
            ):
                pass
    assert path.read_text() == "id\n7\n"
    assert not other.exists()


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    name = str(tmp_path / "none" / "x.csv")
    with (
        pytest.raises(FileError, match="No such file"),
        open_outputs(csv_input("id\n"), "-", results=name),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", Format.CSV), ("b/c.CSV", Format.CSV), ("d.tar.jsonl", Format.JSONL)],
)
def test_name_tells_the_format(name, format):
    assert format_of(name) is format


@pytest.mark.parametrize("name", ["a.txt", "csv", "", "a.json"])
def test_name_that_tells_no_format_is_an_error(name):
    with pytest.raises(FileError, match="csv or jsonl"):
        format_of(name)


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLS", "a.ods", "a.numbers"])
def test_spreadsheet_is_to_be_saved_as_csv(name):
    with pytest.raises(FileError, match=f"{name}: a spreadsheet cannot be read: save it as CSV"):
        format_of(name)


@pytest.mark.parametrize("format", Format)
def test_file_is_opened_and_closed(format, tmp_path):
    path = tmp_path / "x"
    path.write_text('{"id": 7}' if format is Format.JSONL else "id,x\n7,y\n")
    with open_input(str(path), format, ["X"]) as source:
        assert items(source) == [Contact(id=7)]


def test_file_that_is_not_there_is_an_error(tmp_path):
    with (
        pytest.raises(FileError, match=r"x\.csv: there is no such file"),
        open_input(str(tmp_path / "x.csv"), Format.CSV),
    ):
        pass


def test_folder_is_no_file(tmp_path):
    with (
        pytest.raises(FileError, match="it is no regular file"),
        open_input(str(tmp_path), Format.CSV),
    ):
        pass


def test_file_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.touch()

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    # Not by its mode: whoever runs the tests as root may read everything.
    monkeypatch.setattr("builtins.open", refuse)
    with (
        pytest.raises(FileError, match=r"x\.csv: Permission denied"),
        open_input(str(path), Format.CSV),
    ):
        pass


def test_standard_input_is_named_in_errors(monkeypatch):
    monkeypatch.setattr("builtins.open", lambda *_args, **_options: io.BytesIO(b"unknown"))
    with pytest.raises(FileError, match="standard input, line 1: unknown column"):
        standard_input(Format.CSV)
