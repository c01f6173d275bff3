"""The playground: prompts sent by hand, with the route, the wait, the thinking and the answer."""
