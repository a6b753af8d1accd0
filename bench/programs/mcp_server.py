"""A server written with the bare `mcp` package: what stands behind the gateway and behind FastMCP's proxy alike."""

from mcp.server.mcpserver import MCPServer


def build() -> MCPServer:
    """The server with its one tool."""
    server = MCPServer("warehouse", log_level="WARNING")

    @server.tool()
    async def echo(text: str) -> str:
        """Return the text."""
        return text

    return server


def app() -> object:
    """Its application, as the package makes it by default."""
    return build().streamable_http_app()
