#!/usr/bin/env python3
"""Checks an SBOM by CycloneDX's own schema, or a provenance by in-toto's and SLSA's protobufs: sbom|provenance FILE"""
import json
import sys


def sbom(text):
    """What is wrong by the schema of CycloneDX 1.6."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        return str(error)[:500]
    # The schema takes any text for a package URL.
    for component in json.loads(text)["components"]:
        purl = component.get("purl")
        if purl is not None and PackageURL.from_string(purl).to_string() != purl:
            return "%s is not written as purl-spec wants it" % purl
    return None


def provenance(text):
    """What is wrong by the messages of in-toto's statement v1 and SLSA's provenance v1; both refuse fields that they do not know."""
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement
    try:
        document = json.loads(text)
        statement = json_format.ParseDict(document, statement_pb2.Statement())
        Statement.copy_from_pb(statement).validate()
        predicate = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
        if document["predicateType"] != "https://slsa.dev/provenance/v1":
            return "predicateType is %s" % document["predicateType"]
        # What SLSA requires, and protobuf cannot.
        if not (predicate.build_definition.build_type and predicate.run_details.builder.id):
            return "buildType or builder.id is missing"
    except (json_format.ParseError, ValueError, KeyError) as error:
        return "%s: %s" % (type(error).__name__, error)
    return None


def main(kind, path):
    with open(path) as file:
        found = {"sbom": sbom, "provenance": provenance}[kind](file.read())
    print(found or "valid")
    sys.exit(found is not None)


main(*sys.argv[1:])
