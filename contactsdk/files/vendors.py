"""The headers that exports of well-known programs use for the fields of a contact.

These are facts from public pages; each vendor names its page. Headers are compared without regard
to case, blanks and underscores. The rules that use them are in `column_plan.py`.
"""

from typing import Final

from attrs import field, frozen


@frozen(kw_only=True)
class Vendor:
    """The columns of one program's export."""

    name: str
    page: str
    """The public page that describes the columns."""
    fields: dict[str, tuple[str, ...]]
    """Field of a contact -> headers of the columns that hold it, the best first."""
    own: tuple[str, ...]
    """Headers that no other program uses: one of them in a file shows that this column is the
    vendor's, two of them show that the whole file is."""
    cautions: dict[str, str] = field(factory=dict)
    """Header -> a sentence that the user should read before importing a list with this column."""


VENDORS: Final = (
    Vendor(
        name="HubSpot",
        page="https://developers.hubspot.com/docs/api/crm/properties",
        fields={
            "first_name": ("First Name",),
            "last_name": ("Last Name",),
            "email": ("Email", "Work email"),
            "phone": ("Phone Number", "Mobile Phone Number"),
        },
        own=(
            "Record ID",
            "Record ID - Contact",
            "Contact owner",
            "Lead Status",
            "Lifecycle Stage",
            "Marketing contact status",
            "Associated Company",
            "Associated Company IDs",
            "Associated Deal IDs",
            "Primary Associated Company ID",
            "Last Activity Date",
            "Create Date",
            "Became a Customer Date",
            "Original Source",
            "Original Traffic Source",
            "HubSpot Score",
            "HubSpot Owner",
            "HubSpot Team",
            "Unsubscribed from all email",
        ),
        cautions={
            "Unsubscribed from all email": (
                "The column 'Unsubscribed from all email' is not read, so people who have "
                "unsubscribed are imported like all others: leave these rows out, or map a column "
                "to status."
            ),
        },
    ),
    Vendor(
        name="Mailchimp",
        page="https://mailchimp.com/developer/marketing/docs/account-exports/",
        fields={
            "first_name": ("First Name", "FNAME"),
            "last_name": ("Last Name", "LNAME"),
            "email": ("Email Address",),
            "phone": ("Phone Number",),
        },
        own=(
            "MEMBER_RATING",
            "OPTIN_TIME",
            "OPTIN_IP",
            "CONFIRM_TIME",
            "CONFIRM_IP",
            "GMTOFF",
            "DSTOFF",
            "LAST_CHANGED",
            "LEID",
            "EUID",
            "UNSUB_TIME",
            "UNSUB_CAMPAIGN_TITLE",
            "UNSUB_CAMPAIGN_ID",
            "UNSUB_REASON",
            "UNSUB_REASON_OTHER",
            "CLEAN_TIME",
            "CLEAN_CAMPAIGN_TITLE",
            "CLEAN_CAMPAIGN_ID",
        ),
        cautions={
            "UNSUB_TIME": "These contacts have unsubscribed: --set status=Unsubscribed keeps that.",
            "CLEAN_TIME": "Mail to these contacts bounced: --set status=Bounced keeps that.",
        },
    ),
    Vendor(
        name="Google Contacts",
        page="https://support.google.com/contacts/answer/7199294",
        fields={
            "first_name": ("First Name", "Given Name"),
            "last_name": ("Last Name", "Family Name"),
            "email": ("E-mail 1 - Value",),
            "phone": ("Phone 1 - Value", "Phone 2 - Value", "Phone 3 - Value"),
        },
        own=(
            "E-mail 1 - Label",
            "E-mail 1 - Type",
            "Phone 1 - Label",
            "Phone 1 - Type",
            "Phonetic First Name",
            "Phonetic Middle Name",
            "Phonetic Last Name",
            "Given Name Yomi",
            "Family Name Yomi",
            "Additional Name Yomi",
            "Group Membership",
            "File As",
            "Organization Name",
            "Organization Title",
            "Organization Department",
        ),
    ),
    Vendor(
        name="Outlook",
        page="https://www.spstechnical.com/outlook_contacts_schema.htm",
        fields={
            "first_name": ("First Name",),
            "last_name": ("Last Name",),
            "email": ("E-mail Address",),
            "phone": (
                "Mobile Phone",
                "Primary Phone",
                "Business Phone",
                "Home Phone",
                "Business Phone 2",
                "Home Phone 2",
                "Other Phone",
            ),
        },
        own=(
            "E-mail Type",
            "E-mail Display Name",
            "E-mail 2 Address",
            "E-mail 2 Type",
            "E-mail 2 Display Name",
            "E-mail 3 Address",
            "E-mail 3 Type",
            "E-mail 3 Display Name",
            "Business Street",
            "Business City",
            "Business State",
            "Business Postal Code",
            "Business Country/Region",
            "Assistant's Phone",
            "Business Fax",
            "Company Main Phone",
            "Car Phone",
            "Radio Phone",
            "TTY/TDD Phone",
            "Internet Free Busy",
            "Organizational ID Number",
            "Government ID Number",
            "Given Yomi",
            "Surname Yomi",
            "Company Yomi",
        ),
    ),
    Vendor(
        name="Salesforce",
        page="https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/"
        "object_reference/sforce_api_objects_contact.htm",
        fields={
            "first_name": ("First Name",),
            "last_name": ("Last Name",),
            "email": ("Email",),
            "phone": ("Phone", "Mobile", "Mobile Phone", "Business Phone", "Home Phone"),
        },
        own=(
            "Contact ID",
            "Account ID",
            "Account Name",
            "Account Owner",
            "Account Site",
            "Contact Owner Alias",
            "Contact Record Type",
            "Lead Source",
            "Mailing Street",
            "Mailing City",
            "Mailing State",
            "Mailing State/Province",
            "Mailing Zip/Postal Code",
            "Mailing Postal Code",
            "Mailing Country",
            "Reports To",
            "Reports To ID",
            "Email Opt Out",
            "Has Opted Out Of Email",
            "Do Not Call",
            "Master Record ID",
            "System Modstamp",
            "Last Modified By ID",
            "Created By ID",
            "Owner ID",
            "Is Deleted",
        ),
        cautions={
            "Email Opt Out": "Who has opted out there is not known here: leave these rows out, or "
            "map a column to status.",
            "Has Opted Out Of Email": "Who has opted out there is not known here: leave these rows "
            "out, or map a column to status.",
        },
    ),
    Vendor(
        name="Eventbrite",
        page="https://developer.eventbrite.com/doc/attendees/",
        fields={
            "first_name": ("First Name", "Attendee First Name"),
            "last_name": ("Last Name", "Attendee Last Name"),
            "email": ("Email", "Attendee Email"),
            "phone": ("Cell Phone", "Mobile Phone", "Phone Number", "Home Phone", "Work Phone"),
        },
        own=(
            "Order #",
            "Order ID",
            "Order Date",
            "Attendee #",
            "Attendee ID",
            "Attendee Status",
            "Ticket Type",
            "Ticket Price",
            "Ticket Quantity",
            "Price Tier",
            "Barcode #",
            "Total Paid",
            "Fees Paid",
            "Eventbrite Fees",
            "Eventbrite Payment Processing",
            "Buyer First Name",
            "Buyer Last Name",
            "Buyer Name",
            "Buyer Email",
            "Date Attending",
        ),
    ),
)
