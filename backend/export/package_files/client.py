"""Ask the server about the titles of the command line: `python client.py TITLE ...`."""

import json
import sys
import urllib.request

body = json.dumps({"titles": sys.argv[1:]}).encode()
headers = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8000/v1/classify", body, headers)
with urllib.request.urlopen(request) as answer:
    for row in json.load(answer)["results"]:
        print(row["category"], f"{row['confidence']:.0%}", row.get("decision", ""), row["title"])
