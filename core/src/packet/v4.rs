//! Revision 4.
