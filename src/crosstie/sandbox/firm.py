"""Outeniqua Trades, a trades firm on the Garden Route that does not exist: what the demo tenant holds."""

from __future__ import annotations

from typing import NamedTuple


class Site(NamedTuple):
    """A property."""

    name: str
    kind: str
    street: str
    city: str
    postal_code: str


class Client(NamedTuple):
    """A person or a firm, with their properties."""

    name: str
    kind: str
    email: str
    phone: str
    sites: tuple[Site, ...]


class Job(NamedTuple):
    """A piece of work, with the moves that were made so far."""

    reference: str
    site: str
    title: str
    trade: str
    priority: str
    moves: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line of a quote: rands without tax."""

    kind: str
    description: str
    quantity: str
    unit: str
    price: str


class Quote(NamedTuple):
    """An offer for a job, with the moves that were made so far."""

    reference: str
    job: str
    lines: tuple[Line, ...]
    moves: tuple[str, ...] = ()


class Visit(NamedTuple):
    """A visit to a job: days from today, hours of the day in South Africa, the moves made so far."""

    job: str
    technician: str
    kind: str
    day: int
    hours: tuple[int, int]
    moves: tuple[str, ...] = ()


VAT = "15"
APPROVER = "The client, by telephone"
TECHNICIANS = {"sipho@outeniqua.example": "Sipho Dlamini", "riana@outeniqua.example": "Riana Botha"}
SIPHO, RIANA = TECHNICIANS

PLETT = ("Plettenberg Bay", "6600")
CLIENTS = (
    Client("Thandi Nkosi", "person", "thandi.nkosi@example.com", "+27 82 555 0101",
           (Site("Nkosi home", "home", "14 Milkwood Lane", "Knysna", "6571"),)),
    Client("Pieter van Wyk", "person", "pieter.vanwyk@example.com", "+27 83 555 0102",
           (Site("Van Wyk house", "home", "3 Lagoon Drive", "Sedgefield", "6573"),)),
    Client("Goose Valley Homeowners Association", "firm", "office@goosevalley.example.com", "+27 44 555 0103",
           (Site("Clubhouse", "estate", "1 Goose Valley Estate", *PLETT),
            Site("Unit 42", "estate", "42 Goose Valley Estate", *PLETT),
            Site("Pump station", "estate", "Service Road, Goose Valley Estate", *PLETT))),
    Client("Outeniqua Bakery", "firm", "orders@outeniquabakery.example.com", "+27 44 555 0104",
           (Site("Bakery", "business", "88 York Street", "George", "6529"),)),
    Client("Amina Jacobs", "person", "amina.jacobs@example.com", "+27 84 555 0105",
           (Site("Jacobs home", "home", "27 Heatherlands Avenue", "George", "6529"),)),
    Client("Wilderness Dune Lodge", "firm", "manager@dunelodge.example.com", "+27 44 555 0106",
           (Site("Main lodge", "business", "5 Sands Road", "Wilderness", "6560"),
            Site("Chalet 7", "business", "5 Sands Road, Chalet 7", "Wilderness", "6560"))),
    Client("Bongani Maseko", "person", "bongani.maseko@example.com", "+27 72 555 0107",
           (Site("Maseko home", "home", "9 Bland Street", "Mossel Bay", "6500"),)),
    Client("Robberg Property Rentals", "firm", "care@robbergrentals.example.com", "+27 44 555 0108",
           (Site("Beachy Head flat 3", "other", "61 Beachy Head Drive", *PLETT),)),
)  # fmt: skip

WORKING = ("approve", "schedule", "dispatch", "arrive", "start")
JOBS = (
    Job("OT-1001", "Nkosi home", "Replace burst 150 l geyser", "plumbing", "urgent",
        (*WORKING, "complete", "certify", "invoice", "pay", "close")),
    Job("OT-1002", "Van Wyk house", "Certificate of compliance for the sale of the house", "electrical", "normal",
        ("quote", *WORKING, "complete", "certify", "invoice")),
    Job("OT-1003", "Clubhouse", "Fit 8 kVA inverter with 15 kWh of batteries", "solar", "high", ("quote", *WORKING)),
    Job("OT-1004", "Unit 42", "Leak under the kitchen sink", "plumbing", "normal", ("schedule", "dispatch")),
    Job("OT-1005", "Pump station", "Quarterly service of both pumps", "mechanical", "normal", ("schedule",)),
    Job("OT-1006", "Bakery", "Three-phase supply trips when both ovens run", "electrical", "urgent",
        (*WORKING, "complete")),
    Job("OT-1007", "Jacobs home", "Bathroom extractor fan and two downlights", "electrical", "low", ("quote",)),
    Job("OT-1008", "Main lodge", "Gas installation: annual inspection", "gas", "high", ("approve", "schedule")),
    Job("OT-1009", "Chalet 7", "Replace rotten deck boards", "carpentry", "normal", ("quote", "approve")),
    Job("OT-1010", "Maseko home", "Boundary wall: repair after storm", "building", "normal"),
    Job("OT-1011", "Beachy Head flat 3", "No hot water in the second bathroom", "plumbing", "high"),
    Job("OT-1012", "Nkosi home", "Solar geyser: first yearly service", "plumbing", "low"),
)  # fmt: skip

VISITS = (
    Visit("OT-1004", RIANA, "work", 0, (8, 10), ("depart",)),
    Visit("OT-1003", SIPHO, "work", 0, (9, 16), ("arrive",)),
    Visit("OT-1005", RIANA, "maintenance", 1, (8, 12)),
    Visit("OT-1008", SIPHO, "inspection", 2, (10, 12)),
    Visit("OT-1010", RIANA, "assessment", 3, (14, 15)),
)

QUOTES = (
    Quote("OTQ-201", "OT-1003", (
        Line("material", "8 kVA hybrid inverter", "1", "each", "42500.00"),
        Line("material", "5 kWh lithium battery", "3", "each", "26800.00"),
        Line("labour", "Fitting and commissioning", "18", "hour", "650.00"),
        Line("travel", "Knysna to Plettenberg Bay and back", "68", "km", "7.50"),
    ), ("send", "approve")),
    Quote("OTQ-202", "OT-1007", (
        Line("material", "Extractor fan 150 mm, with timer", "1", "each", "1180.00"),
        Line("material", "LED downlight IP65", "2", "each", "265.00"),
        Line("labour", "Electrician", "3.5", "hour", "520.00"),
    ), ("send",)),
    Quote("OTQ-203", "OT-1009", (
        Line("material", "Garapa deck board 140 × 19 mm", "32", "m", "148.00"),
        Line("labour", "Carpenter", "12", "hour", "480.00"),
    ), ("send", "approve")),
    Quote("OTQ-204", "OT-1010", (
        Line("material", "Stock brick", "450", "each", "3.95"),
        Line("labour", "Bricklayer and helper", "16", "hour", "560.00"),
        Line("other", "Removal of rubble", "1", "load", "1450.00"),
    )),
)  # fmt: skip
